// Shapes: B batch, N tokens, D features.
import { type Tensor, type Tensor3D, add, reshape, tidy, tile } from '@tensorflow/tfjs-core';
import { attention, feedForward, layerNorm } from '../../ops/transformer.js';
import { PartLayer, type PartLayerArgs, type PartOf } from '../part-layer.js';
import { onlyTensor } from '../weighted-layer.js';
import { type WeightSpec, attentionPoolWeights } from '../weights.js';

/** One vector for an example by a learned probe that attends to its tokens, with a feed-forward residual: `[B,N,D] → [B,D]`. */
export class AttentionPool extends PartLayer<'attentionPool'> {
  static readonly className = 'MoeAttentionPool';

  protected describe({ heads, hidden }: PartLayerArgs<'attentionPool'>): PartOf<'attentionPool'> {
    return { kind: 'attentionPool', heads, hidden };
  }

  protected weightSpecs(rowShape: readonly number[]): readonly WeightSpec[] {
    return attentionPoolWeights(rowShape[1]!, this.part.hidden);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => {
      const x = onlyTensor(inputs) as unknown as Tensor3D;
      const [batch, , width] = x.shape;
      const probe = tile(this.read('probe'), [batch, 1, 1]) as Tensor3D;
      const pooled = attention(probe, x, this.part.heads, (name) => this.read(`attention/${name}`));
      const normed = layerNorm(pooled, this.read('norm/gamma'), this.read('norm/beta'));
      return reshape(add(pooled, feedForward(normed, (name) => this.read(`mlp/${name}`))), [batch, width]);
    });
  }
}
