import { expectInteger } from '@moe/core';
import { logFactorials } from './binomial.js';

/**
 * Exact McNemar test: do two classifiers, scored on the **same** examples, differ?
 *
 * @remarks
 * Only the examples on which exactly one of them is right count: under the hypothesis each falls to either side like a fair coin, so the p-value
 * is twice the smaller binomial tail, at most 1.
 *
 * @param onlyA - examples that only the first gets right.
 * @param onlyB - examples that only the second gets right.
 * @returns Two-sided p-value in (0, 1]; 1 if both counts are 0.
 * @throws {@link ArgumentError} if a count is not an integer ≥ 0.
 * @see {@link https://doi.org/10.1007/BF02295996 | McNemar 1947}.
 *
 * @example
 * ```ts
 * import { mcnemar } from '@moe/report';
 *
 * console.log(mcnemar(1, 9).toFixed(4)); // 0.0215
 * ```
 */
export function mcnemar(onlyA: number, onlyB: number): number {
  expectInteger('mcnemar', 'onlyA', onlyA, 0);
  expectInteger('mcnemar', 'onlyB', onlyB, 0);
  const n = onlyA + onlyB;
  const logs = logFactorials(n);
  let tail = 0;
  for (let k = 0; k <= Math.min(onlyA, onlyB); k++) tail += Math.exp(logs[n]! - logs[k]! - logs[n - k]! - n * Math.LN2);
  return Math.min(1, 2 * tail);
}
