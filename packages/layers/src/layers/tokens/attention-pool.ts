// Shapes: B batch, N tokens, D features.
import { type Tensor, type Tensor3D, add, reshape, type serialization, tidy, tile } from '@tensorflow/tfjs-core';
import { attention, feedForward, layerNorm } from '../../ops/transformer.js';
import type { LayerPart } from '../../spec/parts.js';
import { type LayerArgs, onlyTensor } from '../weighted-layer.js';
import { type WeightSpec, attentionPoolWeights } from '../weights.js';
import { TokenLayer } from './token-layer.js';

/** One vector for an example by a learned probe that attends to its tokens, with a feed-forward residual: `[B,N,D] → [B,D]`. */
export class AttentionPool extends TokenLayer {
  static readonly className = 'MoeAttentionPool';
  readonly heads: number;
  readonly hidden: number;

  constructor(args: LayerArgs & { readonly heads: number; readonly hidden: number; readonly seed: number }) {
    super(args);
    this.heads = args.heads;
    this.hidden = args.hidden;
  }

  get part(): LayerPart {
    return { kind: 'attentionPool', heads: this.heads, hidden: this.hidden };
  }

  protected weightSpecs(rowShape: readonly number[]): readonly WeightSpec[] {
    return attentionPoolWeights(rowShape[1]!, this.hidden);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => {
      const x = onlyTensor(inputs) as unknown as Tensor3D;
      const [batch, , width] = x.shape;
      const probe = tile(this.read('probe'), [batch, 1, 1]) as Tensor3D;
      const pooled = attention(probe, x, this.heads, (name) => this.read(`attention/${name}`));
      const normed = layerNorm(pooled, this.read('norm/gamma'), this.read('norm/beta'));
      return reshape(add(pooled, feedForward(normed, (name) => this.read(`mlp/${name}`))), [batch, width]);
    });
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), heads: this.heads, hidden: this.hidden };
  }
}
