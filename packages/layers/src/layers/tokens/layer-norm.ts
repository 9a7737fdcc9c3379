import type { Tensor } from '@tensorflow/tfjs-core';
import { layerNorm } from '../../ops/transformer.js';
import { PartLayer, type PartOf } from '../part-layer.js';
import { onlyTensor } from '../weighted-layer.js';
import { type WeightSpec, layerNormWeights } from '../weights.js';

/** Layer norm over the last axis, eps 1e-6. */
export class LayerNorm extends PartLayer<'layerNorm'> {
  static readonly className = 'MoeLayerNorm';

  protected describe(): PartOf<'layerNorm'> {
    return { kind: 'layerNorm' };
  }

  protected weightSpecs(rowShape: readonly number[]): readonly WeightSpec[] {
    return layerNormWeights(rowShape.at(-1)!);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return layerNorm(onlyTensor(inputs), this.read('gamma'), this.read('beta'));
  }
}
