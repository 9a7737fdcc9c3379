// Shapes: B batch, N tokens, D features.
import type { Tensor, serialization } from '@tensorflow/tfjs-core';
import { feedForward } from '../../ops/transformer.js';
import type { LayerPart } from '../../spec/parts.js';
import { type LayerArgs, onlyTensor } from '../weighted-layer.js';
import { type WeightSpec, feedForwardWeights } from '../weights.js';
import { TokenLayer } from './token-layer.js';

/** Two linear layers with GELU between, on every token: `[B,N,D] → [B,N,D]`. */
export class FeedForward extends TokenLayer {
  static readonly className = 'MoeFeedForward';
  readonly hidden: number;

  constructor(args: LayerArgs & { readonly hidden: number; readonly seed: number }) {
    super(args);
    this.hidden = args.hidden;
  }

  get part(): LayerPart {
    return { kind: 'feedForward', hidden: this.hidden };
  }

  protected weightSpecs(rowShape: readonly number[]): readonly WeightSpec[] {
    return feedForwardWeights(rowShape.at(-1)!, this.hidden);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return feedForward(onlyTensor(inputs), this.read);
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), hidden: this.hidden };
  }
}
