// Shapes: B batch, H W pixels, C channels, F filters.
import { type Tensor4D, conv2d, pad, reshape } from '@tensorflow/tfjs-core';

/** Length of a convolved axis under the padding `(kernelSize - 1) / 2` that PyTorch networks use. */
export function convolvedSize(size: number, stride: number): number {
  return Math.floor((size - 1) / stride) + 1;
}

/** Zeros that such a convolution reads before and after an axis; those after it that no window reaches are left out. */
export function paddingOf(size: number, kernelSize: number, stride: number): readonly [before: number, after: number] {
  const before = (kernelSize - 1) / 2;
  return [before, (convolvedSize(size, stride) - 1) * stride + kernelSize - size - before];
}

/**
 * Convolution without bias, padded as PyTorch pads: the same number of zeros before and after.
 *
 * @remarks
 * tfjs' `'same'` puts the odd zero of an even size after the axis, PyTorch before. Where the two agree this is one plain `tf.conv2d`, so that
 * an unused filter gradient is never computed; elsewhere the zeros are added first, because not every engine takes numeric paddings.
 *
 * @param x      - `[B,H,W,C]`.
 * @param kernel - `[k,k,C,F]`, k odd.
 * @returns `[B,⌈H/stride⌉,⌈W/stride⌉,F]`; the caller disposes it.
 */
export function convolve(x: Tensor4D, kernel: Tensor4D, stride: number): Tensor4D {
  const kernelSize = kernel.shape[0];
  if (kernelSize === 1) return conv2d(x, kernel, stride, 'valid');
  const [batch, height, width, channels] = x.shape;
  const vertical = paddingOf(height, kernelSize, stride);
  const horizontal = paddingOf(width, kernelSize, stride);
  const isSame = ([before, after]: readonly [number, number]): boolean => after === before || after === before + 1;
  if (isSame(vertical) && isSame(horizontal)) return conv2d(x, kernel, stride, 'same');
  // Rank 3 keeps the copied runs long.
  const rows = pad(reshape(x, [batch, height, width * channels]), [[0, 0], [...vertical], [horizontal[0] * channels, horizontal[1] * channels]]);
  const padded = reshape(rows, [batch, height + vertical[0] + vertical[1], width + horizontal[0] + horizontal[1], channels]) as Tensor4D;
  return conv2d(padded, kernel, stride, 'valid');
}
