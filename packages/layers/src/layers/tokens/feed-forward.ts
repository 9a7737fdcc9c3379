// Shapes: B batch, N tokens, D features.
import type { Tensor } from '@tensorflow/tfjs-core';
import { feedForward } from '../../ops/transformer.js';
import { readCallArguments } from '../call-arguments.js';
import { dropping } from '../dropping.js';
import { PartLayer, type PartLayerArgs, type PartOf } from '../part-layer.js';
import { onlyTensor } from '../weighted-layer.js';
import { type WeightSpec, feedForwardWeights } from '../weights.js';

/** Two linear layers with GELU between, on every token: `[B,N,D] → [B,N,D]`. */
export class FeedForward extends PartLayer<'feedForward'> {
  static readonly className = 'MoeFeedForward';

  protected describe({ hidden, dropout = 0 }: PartLayerArgs<'feedForward'>): PartOf<'feedForward'> {
    return { kind: 'feedForward', hidden, dropout };
  }

  protected weightSpecs(rowShape: readonly number[]): readonly WeightSpec[] {
    return feedForwardWeights(rowShape.at(-1)!, this.part.hidden);
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    return feedForward(onlyTensor(inputs), this.read, dropping(this.name, this.part.dropout ?? 0, readCallArguments(kwargs)));
  }
}
