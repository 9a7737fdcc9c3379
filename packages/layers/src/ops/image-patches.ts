// Shapes: B batch, H W pixels, C channels, p patch side, h halo, P patches of an image.
import { gatherRows } from '@moe/core';
import { type Tensor, type Tensor1D, type Tensor4D, pad, reshape, tensor1d, transpose } from '@tensorflow/tfjs-core';

/** Pixels beyond its own that a patch needs on every side for a convolution of this kernel. */
export const haloOf = (kernelSize: number): number => (kernelSize - 1) / 2;

/** Shape of one patch with its halo, `[p+2h,p+2h,C]`. */
export function patchShape({ conv, patch }: { readonly conv: { readonly kernelSize: number }; readonly patch: number }, inputShape: readonly number[]): readonly number[] {
  const side = patch + 2 * haloOf(conv.kernelSize);
  return [side, side, inputShape[2]!];
}

/** Where in `[H+2h,W+2h]` each pixel of each patch lies. */
function* pixelsOfPatches(height: number, width: number, patch: number, halo: number): Generator<number> {
  const side = patch + 2 * halo;
  for (let top = 0; top < height; top += patch)
    for (let left = 0; left < width; left += patch)
      for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) yield (top + y) * (width + 2 * halo) + left + x;
}

/**
 * Cuts maps into square patches that overlap by a halo; beyond the border are zeros.
 *
 * @param x     - `[B,H,W,C]`, H and W multiples of `patch`.
 * @returns `[B·P,p+2h,p+2h,C]`, the patches of an image in reading order; the caller disposes it.
 */
export function cutPatches(x: Tensor4D, patch: number, halo: number): Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const padded = pad(x, [[0, 0], [halo, halo], [halo, halo], [0, 0]]);
  const pixels = Int32Array.from(pixelsOfPatches(height, width, patch, halo));
  const perImage = (height + 2 * halo) * (width + 2 * halo);
  const indices = Int32Array.from({ length: batch * pixels.length }, (_, i) => Math.floor(i / pixels.length) * perImage + pixels[i % pixels.length]!);
  const side = patch + 2 * halo;
  return reshape(gatherRows(reshape(padded, [batch * perImage, channels]), tensor1d(indices, 'int32') as Tensor1D), [-1, side, side, channels]);
}

/** Puts patches without halo `[B·P,p,p,F]` together to maps `[B,H,W,F]`. */
export function joinPatches(patches: Tensor, height: number, width: number): Tensor4D {
  const [, patch = 1, , filters = 1] = patches.shape;
  // Rank 4, which every engine transposes fast.
  const rows = transpose(reshape(patches, [-1, width / patch, patch, patch * filters]), [0, 2, 1, 3]);
  return reshape(rows, [-1, height, width, filters]);
}
