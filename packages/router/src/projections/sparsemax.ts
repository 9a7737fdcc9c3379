// Shapes: T rows, E entries.
import { expectShape } from '@moe/core';
import { type Tensor2D, cast, cumsum, div, greater, mul, range, sub, sum, tidy, topk } from '@tensorflow/tfjs-core';
import { detached } from '../internal/detached.js';

/**
 * Euclidean projection of each row onto the probability simplex.
 *
 * @remarks
 * `argmin_p ‖p - z‖²`: `p = max(z - τ, 0)` with τ such that a row sums to 1. Entries far below the largest are exactly 0; the map is continuous, and
 * 1-Lipschitz in L2. Its gradient is that of the entries above 0, `diag(s) - s sᵀ/|s|`.
 *
 * @param z - `[T,E]`.
 * @returns `[T,E]`, rows sum to 1; the caller disposes it.
 * @throws {@link ShapeError} if `z` is no matrix.
 * @see {@link https://arxiv.org/abs/1602.02068 | Martins and Astudillo 2016}
 *
 * @example
 * sparsemax(tensor2d([[0.9, 0.2, 0.7, -0.3, 0.65]])); // .4833, 0, .2833, 0, .2333
 */
export function sparsemax(z: Tensor2D): Tensor2D {
  const { E } = expectShape('sparsemax', { z }, ['T', 'E']);
  return tidy(() => {
    const support = detached(z, (scores) => supportOf(scores as Tensor2D, E));
    const threshold = div(sub(sum(mul(z, support), 1, true), 1), sum(support, 1, true));
    return mul(support, sub(z, threshold)) as Tensor2D;
  });
}

/** 1 at the entries above 0, `[T,E]`. */
function supportOf(z: Tensor2D, entries: number): Tensor2D {
  const sorted = topk(z, entries).values;
  // The j largest are in the support while 1 + j·z_(j) is above their sum.
  const inside = cast(greater(mul(sorted, range(1, entries + 1, 1, 'float32')), sub(cumsum(sorted, 1), 1)), 'float32');
  const size = sum(inside, 1, true);
  const threshold = div(sub(sum(mul(sorted, inside), 1, true), 1), size);
  return cast(greater(z, threshold), 'float32') as Tensor2D;
}
