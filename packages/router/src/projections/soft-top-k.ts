// Shapes: T rows, E entries.
import { expectInteger, expectNumber, expectShape } from '@moe/core';
import { type Tensor2D, add, cast, div, greaterEqual, less, mul, sub, sum, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { detached } from '../internal/detached.js';

/**
 * Relaxed indicator of each row's k largest entries.
 *
 * @remarks
 * `argmin_m ‖m - z/ε‖²` over `0 ≤ m ≤ 1`, `Σ m = k`: `m = clip(z/ε - τ, 0, 1)`. The hard indicator as ε → 0, and exactly it once the k-th and the next
 * entry are ε apart; k/E for equal entries. Continuous, piecewise linear. τ is found on the host: one read of `z`.
 *
 * @param z       - `[T,E]`.
 * @param k       - in `[1, E]`.
 * @param options - `eps`, width of the transition in the unit of `z`, > 0. @defaultValue `eps = 1`
 * @returns `[T,E]` in [0, 1], rows sum to k; the caller disposes it.
 * @throws {@link ShapeError} {@link ArgumentError} if an argument is out of range.
 * @see {@link https://arxiv.org/abs/2302.01425 | Sander et al. 2023}, for p = 2.
 */
export function softTopK(z: Tensor2D, k: number, { eps = 1 }: { readonly eps?: number } = {}): Tensor2D {
  const { E } = expectShape('softTopK', { z }, ['T', 'E']);
  expectInteger('softTopK', 'k', k, 1, E);
  expectNumber('softTopK', 'eps', eps, Number.MIN_VALUE);
  return tidy(() => {
    const scaled = div(z, eps) as Tensor2D;
    const thresholds = detached(scaled, (scores) => tensor2d(thresholdsOf(scores.dataSync(), E, k), [scores.shape[0]!, 1]));
    const full = detached(scaled, (scores) => cast(greaterEqual(sub(scores, thresholds), 1), 'float32'));
    const inside = detached(scaled, (scores) => mul(cast(less(sub(scores, thresholds), 1), 'float32'), cast(greaterEqual(sub(scores, thresholds), 0), 'float32')));
    // τ again, as a function of the entries strictly between 0 and 1, so that the gradient knows how it moves.
    const count = add(sum(inside, 1, true), detached(inside, (ones) => cast(less(sum(ones, 1, true), 0.5), 'float32')));
    const threshold = div(sub(add(sum(mul(scaled, inside), 1, true), sum(full, 1, true)), k), count);
    return add(full, mul(inside, sub(scaled, threshold)));
  });
}

/** τ of each row, by a walk over the breakpoints z_e - 1 and z_e, between which Σ clip(z - τ, 0, 1) is linear. */
function thresholdsOf(z: ArrayLike<number>, entries: number, k: number): Float32Array {
  return Float32Array.from({ length: z.length / entries }, (_, row) => {
    const values = Array.from({ length: entries }, (_, e) => z[row * entries + e]!);
    const total = (threshold: number): number => values.reduce((sum, value) => sum + Math.min(Math.max(value - threshold, 0), 1), 0);
    const breaks = values.flatMap((value) => [value - 1, value]).sort((a, b) => a - b);
    // total falls with τ from E to 0; the answer lies between the last breakpoint that is not below k and the next.
    let low = breaks[0]!;
    for (const at of breaks) if (total(at) >= k) low = at;
    const high = breaks.find((at) => at > low) ?? low;
    const [above, below] = [total(low), total(high)];
    return above === below ? low : low + ((above - k) / (above - below)) * (high - low);
  });
}
