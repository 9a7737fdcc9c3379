// Shapes: B batch, N tokens, D features.
import type { Tensor, Tensor3D, serialization } from '@tensorflow/tfjs-core';
import { attention } from '../../ops/transformer.js';
import type { LayerPart } from '../../spec/parts.js';
import { type LayerArgs, onlyTensor } from '../weighted-layer.js';
import { type WeightSpec, attentionWeights } from '../weights.js';
import { TokenLayer } from './token-layer.js';

/** Multi-head self-attention, `[B,N,D] → [B,N,D]`. */
export class Attention extends TokenLayer {
  static readonly className = 'MoeAttention';
  readonly heads: number;

  constructor(args: LayerArgs & { readonly heads: number; readonly seed: number }) {
    super(args);
    this.heads = args.heads;
  }

  get part(): LayerPart {
    return { kind: 'attention', heads: this.heads };
  }

  protected weightSpecs(rowShape: readonly number[]): readonly WeightSpec[] {
    return attentionWeights(rowShape[1]!);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    const x = onlyTensor(inputs) as unknown as Tensor3D;
    return attention(x, x, this.heads, this.read);
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), heads: this.heads };
  }
}
