// Shapes: B batch, N tokens, D features.
import { type Tensor, type Tensor3D, mean, reshape, slice, tidy } from '@tensorflow/tfjs-core';
import { PartLayer, type PartLayerArgs, type PartOf } from '../part-layer.js';
import { onlyTensor } from '../weighted-layer.js';
import type { WeightSpec } from '../weights.js';

/** One vector for an example: its first token, or the mean of all, `[B,N,D] → [B,D]`. */
export class Pool extends PartLayer<'pool'> {
  static readonly className = 'MoePool';

  protected describe({ pool }: PartLayerArgs<'pool'>): PartOf<'pool'> {
    return { kind: 'pool', pool };
  }

  protected weightSpecs(): readonly WeightSpec[] {
    return [];
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => {
      const x = onlyTensor(inputs) as unknown as Tensor3D;
      const [batch, , width] = x.shape;
      return this.part.pool === 'gap' ? mean(x, 1) : reshape(slice(x, [0, 0, 0], [batch, 1, width]), [batch, width]);
    });
  }
}
