// Shapes: T rows.
import type { Rng } from '@moe/core';
import { type Tensor, mul, tensor, tidy } from '@tensorflow/tfjs-core';

/**
 * Sets each number to 0 with probability `rate`, and divides the others by `1 - rate`.
 *
 * @remarks
 * Row t draws from `rng.at(t)`, so what it loses does not depend on the rows around it.
 *
 * @param x - `[T,…]`.
 * @returns Same shape as `x`; the caller disposes it.
 * @see {@link https://jmlr.org/papers/v15/srivastava14a.html | Srivastava et al. 2014}
 */
export function dropout<T extends Tensor>(x: T, rate: number, rng: Rng): T {
  const rows = x.shape[0] ?? 1;
  const width = x.size / rows;
  const kept = new Float32Array(x.size);
  for (let row = 0; row < rows; row++) kept.set(rng.at(row).uniform(width).map((draw) => (draw < rate ? 0 : 1 / (1 - rate))), row * width);
  return tidy(() => mul(x, tensor(kept, x.shape)) as T);
}
