// Shapes: B batch, N tokens, D features.
import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import { attention } from '../../ops/transformer.js';
import { PartLayer, type PartLayerArgs, type PartOf } from '../part-layer.js';
import { onlyTensor } from '../weighted-layer.js';
import { type WeightSpec, attentionWeights } from '../weights.js';

/** Multi-head self-attention, `[B,N,D] → [B,N,D]`. */
export class Attention extends PartLayer<'attention'> {
  static readonly className = 'MoeAttention';

  protected describe({ heads }: PartLayerArgs<'attention'>): PartOf<'attention'> {
    return { kind: 'attention', heads };
  }

  protected weightSpecs(rowShape: readonly number[]): readonly WeightSpec[] {
    return attentionWeights(rowShape[1]!);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    const x = onlyTensor(inputs) as unknown as Tensor3D;
    return attention(x, x, this.part.heads, this.read);
  }
}
