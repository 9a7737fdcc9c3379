import { expectInteger, expectNumber } from '@moe/core';
import { normalQuantile } from './normal-quantile.js';

/** Limits of a confidence interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * Wilson's score interval of a proportion.
 *
 * @param successes  - how often it happened, an integer in [0, n].
 * @param n          - number of trials, ≥ 1.
 * @param confidence - two-sided coverage, in [0.5, 0.9999].
 * @returns Limits within [0, 1], no continuity correction.
 * @throws {@link ArgumentError} if a count or the confidence is out of range.
 * @see {@link https://doi.org/10.1080/01621459.1927.10502953 | Wilson 1927}.
 *
 * @example
 * ```ts
 * import { wilsonInterval } from '@moe/report';
 *
 * console.log(wilsonInterval(125, 200)); // { low: 0.556…, high: 0.689… }
 * ```
 */
export function wilsonInterval(successes: number, n: number, confidence = 0.95): Interval {
  expectInteger('wilsonInterval', 'n', n, 1);
  expectInteger('wilsonInterval', 'successes', successes, 0, n);
  expectNumber('wilsonInterval', 'confidence', confidence, 0.5, 0.9999);
  const z2 = normalQuantile((1 + confidence) / 2) ** 2;
  const centre = (successes + z2 / 2) / (n + z2);
  const half = Math.sqrt(z2 * ((successes * (n - successes)) / n + z2 / 4)) / (n + z2);
  return { low: successes === 0 ? 0 : Math.max(0, centre - half), high: successes === n ? 1 : Math.min(1, centre + half) };
}
