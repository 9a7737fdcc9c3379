// Shapes: B batch, H W pixels, C channels, p patch side, N = (H/p)·(W/p) tokens, D features.
import { type Tensor, type Tensor4D, add, conv2d, reshape, tidy } from '@tensorflow/tfjs-core';
import { PartLayer, type PartLayerArgs, type PartOf } from '../part-layer.js';
import { onlyTensor } from '../weighted-layer.js';
import { type WeightSpec, patchWeights } from '../weights.js';

/** One token per patch: a convolution with stride p and no padding, `[B,H,W,C] → [B,N,D]`. */
export class Patches extends PartLayer<'patches'> {
  static readonly className = 'MoePatches';

  protected describe({ patch, width }: PartLayerArgs<'patches'>): PartOf<'patches'> {
    return { kind: 'patches', patch, width };
  }

  protected weightSpecs(rowShape: readonly number[]): readonly WeightSpec[] {
    return patchWeights(this.part.patch, rowShape[2]!, this.part.width);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => {
      const tokens = conv2d(onlyTensor(inputs), this.read('kernel') as Tensor4D, this.part.patch, 'valid');
      return add(reshape(tokens, [tokens.shape[0], -1, this.part.width]), this.read('bias'));
    });
  }
}
