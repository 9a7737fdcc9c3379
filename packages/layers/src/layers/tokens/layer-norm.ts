import type { Tensor } from '@tensorflow/tfjs-core';
import { layerNorm } from '../../ops/transformer.js';
import type { LayerPart } from '../../spec/parts.js';
import { onlyTensor } from '../weighted-layer.js';
import { type WeightSpec, layerNormWeights } from '../weights.js';
import { TokenLayer } from './token-layer.js';

/** Layer norm over the last axis, eps 1e-6. */
export class LayerNorm extends TokenLayer {
  static readonly className = 'MoeLayerNorm';

  get part(): LayerPart {
    return { kind: 'layerNorm' };
  }

  protected weightSpecs(rowShape: readonly number[]): readonly WeightSpec[] {
    return layerNormWeights(rowShape.at(-1)!);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return layerNorm(onlyTensor(inputs), this.read('gamma'), this.read('beta'));
  }
}
