import type { Tensor } from '@tensorflow/tfjs-core';
import { applyBatchNorm, batchNormOf } from './apply-batch-norm.js';
import { readCallArguments } from './call-arguments.js';
import { PartLayer, type PartLayerArgs, type PartOf } from './part-layer.js';
import { onlyTensor } from './weighted-layer.js';
import { type WeightSpec, batchNormWeights } from './weights.js';

/** Batch norm over the last axis, with the conventions of PyTorch or Keras. */
export class BatchNorm extends PartLayer<'batchNorm'> {
  static readonly className = 'MoeBatchNorm';

  protected describe({ convention = 'pytorch' }: PartLayerArgs<'batchNorm'>): PartOf<'batchNorm'> {
    return { kind: 'batchNorm', convention };
  }

  protected weightSpecs(rowShape: readonly number[]): readonly WeightSpec[] {
    return batchNormWeights(rowShape.at(-1)!);
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    return applyBatchNorm(onlyTensor(inputs), batchNormOf(this.variables()), this.part.convention, readCallArguments(kwargs));
  }
}
