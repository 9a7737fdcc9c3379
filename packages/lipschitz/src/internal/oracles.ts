// Independent values for the tests: matrices made by tfjs itself, singular values by ml-matrix.
import { type Tensor4D, concat, conv2d, eye, pad, reshape, slice, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import type { Kernel } from './arrays.js';
import type { ConvPadding } from './conv-geometry.js';

export function svdNorm(rows: number, cols: number, values: ArrayLike<number>): number {
  const matrix = Matrix.from1DArray(rows, cols, Array.from(values));
  return new SingularValueDecomposition(matrix, { computeLeftSingularVectors: false, computeRightSingularVectors: false, autoTranspose: true }).norm2;
}

/** The image continued periodically by `reach` pixels below and to the right. */
function wrapped(images: Tensor4D, reach: number): Tensor4D {
  if (reach === 0) return images;
  const [count, height, , channels] = images.shape;
  const tall = concat([images, slice(images, 0, [count, reach, images.shape[2], channels])], 1);
  return concat([tall, slice(tall, 0, [count, height + reach, reach, channels])], 2);
}

/** The matrix of a convolution of `size × size` images, `[inputs, outputs]`: what tfjs makes of every unit image. */
export function convMatrix({ shape, values }: Kernel, options: { size: number; stride: number; dilation: number; padding: ConvPadding }): { rows: number; cols: number; values: Float32Array } {
  const { size, stride, dilation, padding } = options;
  const [k, , cin] = shape as [number, number, number, number];
  const rows = size * size * cin;
  return tidy(() => {
    const images = reshape(eye(rows), [rows, size, size, cin]) as Tensor4D;
    const kernel = tensor4d(Float32Array.from(values), shape as [number, number, number, number]);
    const zeros = typeof padding === 'number' ? padding : 0;
    const padded = padding === 'circular' ? wrapped(images, (k - 1) * dilation) : (pad(images, [[0, 0], [zeros, zeros], [zeros, zeros], [0, 0]]) as Tensor4D);
    const out = conv2d(padded, kernel, stride, padding === 'same' ? 'same' : 'valid', 'NHWC', dilation);
    return { rows, cols: out.size / rows, values: out.dataSync() as Float32Array };
  });
}
