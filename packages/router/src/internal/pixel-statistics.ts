// Shapes: T rows, H W pixels, F features, N = T·H·W of the rows that count.
import { type Tensor, type Tensor1D, type Tensor4D, mean, mul, reshape, square, sub, tensor4d } from '@tensorflow/tfjs-core';
import type { GateStatistics } from '../types.js';

/** Mean and biased variance of each feature over all pixels of the rows that count, differentiable in `x`; nothing if no row does. */
export function pixelStatistics(x: Tensor4D, mask: readonly boolean[] | undefined): GateStatistics | undefined {
  const [all, height, width, features] = x.shape;
  const rows = mask === undefined ? all : mask.filter(Boolean).length;
  if (rows === 0) return undefined;
  const count = rows * height * width;
  // Each row counts as much as it should, so that one mean over all of them is the mean over those that count.
  const weights = mask === undefined ? undefined : tensor4d(mask.map((counts) => (counts ? all / rows : 0)), [all, 1, 1, 1]);
  const meanOf = (values: Tensor): Tensor1D => mean(reshape(weights === undefined ? values : mul(values, weights), [-1, features]), 0);
  const centre = meanOf(x);
  return { mean: centre, variance: meanOf(square(sub(x, centre))), count, rows };
}
