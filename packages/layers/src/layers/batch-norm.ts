import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import type { LayerPart } from '../spec/parts.js';
import { applyBatchNorm, batchNormOf } from './apply-batch-norm.js';
import { readCallArguments } from './call-arguments.js';
import { batchNormWeights } from './weights.js';
import { WeightedLayer, onlyTensor, rowShapeOf } from './weighted-layer.js';

/** Batch norm over the last axis with PyTorch's conventions: eps 1e-5, momentum 0.1, unbiased running variance. */
export class BatchNorm extends WeightedLayer {
  static readonly className = 'MoeBatchNorm';
  #weights: Readonly<Record<string, LayerVariable>> = {};

  get part(): LayerPart {
    return { kind: 'batchNorm' };
  }

  override build(inputShape: Shape): void {
    this.#weights = this.addWeights(batchNormWeights(rowShapeOf(inputShape).at(-1)!));
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    return applyBatchNorm(onlyTensor(inputs), batchNormOf(this.#weights), readCallArguments(kwargs));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }
}
