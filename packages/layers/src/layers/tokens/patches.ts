// Shapes: B batch, H W pixels, C channels, p patch side, N = (H/p)·(W/p) tokens, D features.
import { type Tensor, type Tensor4D, add, conv2d, reshape, type serialization, tidy } from '@tensorflow/tfjs-core';
import type { LayerPart } from '../../spec/parts.js';
import { type LayerArgs, onlyTensor } from '../weighted-layer.js';
import { type WeightSpec, patchWeights } from '../weights.js';
import { TokenLayer } from './token-layer.js';

/** One token per patch: a convolution with stride p and no padding, `[B,H,W,C] → [B,N,D]`. */
export class Patches extends TokenLayer {
  static readonly className = 'MoePatches';
  readonly patch: number;
  readonly width: number;

  constructor(args: LayerArgs & { readonly patch: number; readonly width: number; readonly seed: number }) {
    super(args);
    this.patch = args.patch;
    this.width = args.width;
  }

  get part(): LayerPart {
    return { kind: 'patches', patch: this.patch, width: this.width };
  }

  protected weightSpecs(rowShape: readonly number[]): readonly WeightSpec[] {
    return patchWeights(this.patch, rowShape[2]!, this.width);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => {
      const tokens = conv2d(onlyTensor(inputs), this.read('kernel') as Tensor4D, this.patch, 'valid');
      return add(reshape(tokens, [tokens.shape[0], -1, this.width]), this.read('bias'));
    });
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), patch: this.patch, width: this.width };
  }
}
