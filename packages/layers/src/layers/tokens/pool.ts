// Shapes: B batch, N tokens, D features.
import { type Tensor, type Tensor3D, mean, reshape, type serialization, slice, tidy } from '@tensorflow/tfjs-core';
import type { LayerPart } from '../../spec/parts.js';
import { type LayerArgs, onlyTensor } from '../weighted-layer.js';
import type { WeightSpec } from '../weights.js';
import { TokenLayer } from './token-layer.js';

/** One vector for an example: its first token, or the mean of all, `[B,N,D] → [B,D]`. */
export class Pool extends TokenLayer {
  static readonly className = 'MoePool';
  readonly pool: 'token' | 'gap';

  constructor(args: LayerArgs & { readonly pool: 'token' | 'gap'; readonly seed: number }) {
    super(args);
    this.pool = args.pool;
  }

  get part(): LayerPart {
    return { kind: 'pool', pool: this.pool };
  }

  protected weightSpecs(): readonly WeightSpec[] {
    return [];
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => {
      const x = onlyTensor(inputs) as unknown as Tensor3D;
      const [batch, , width] = x.shape;
      return this.pool === 'gap' ? mean(x, 1) : reshape(slice(x, [0, 0, 0], [batch, 1, width]), [batch, width]);
    });
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), pool: this.pool };
  }
}
