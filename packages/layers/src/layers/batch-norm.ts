import type { Tensor, serialization } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import type { BatchNormConventionName } from '../spec/batch-norm-convention.js';
import type { LayerPart } from '../spec/parts.js';
import { applyBatchNorm, batchNormOf } from './apply-batch-norm.js';
import { readCallArguments } from './call-arguments.js';
import { batchNormWeights } from './weights.js';
import { type LayerArgs, WeightedLayer, onlyTensor, rowShapeOf } from './weighted-layer.js';

/** Batch norm over the last axis, with the conventions of PyTorch or Keras. */
export class BatchNorm extends WeightedLayer {
  static readonly className = 'MoeBatchNorm';
  readonly convention: BatchNormConventionName;
  #weights: Readonly<Record<string, LayerVariable>> = {};

  constructor(args: LayerArgs & { readonly convention?: BatchNormConventionName; readonly seed: number }) {
    super(args);
    this.convention = args.convention ?? 'pytorch';
  }

  get part(): LayerPart {
    return { kind: 'batchNorm', convention: this.convention };
  }

  override build(inputShape: Shape): void {
    this.#weights = this.addWeights(batchNormWeights(rowShapeOf(inputShape).at(-1)!));
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    return applyBatchNorm(onlyTensor(inputs), batchNormOf(this.#weights), this.convention, readCallArguments(kwargs));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), convention: this.convention };
  }
}
