import { type Interval, expectInteger, expectKnownKeys, expectNumber, wilsonInterval } from '@moe/core';
import { logFactorials } from './binomial.js';

/** How often something happened in independent trials. */
export interface Count {
  readonly successes: number;
  readonly n: number;
}

export interface ProportionComparison {
  /** Proportion of `a` less that of `b`. */
  readonly difference: number;
  /** Newcombe's interval of the difference. */
  readonly interval: Interval;
  /** Two-sided, exact. */
  readonly pValue: number;
  /** Whether `pValue ≤ 1 − confidence`. */
  readonly significant: boolean;
}

/**
 * Compares two proportions measured on **different**, independent examples.
 *
 * @remarks
 * Size by Newcombe's hybrid score interval (his method 10: Wilson limits, no continuity correction), significance by Fisher's exact test,
 * two-sided by the sum of all tables at most as likely as the one seen. The test is the stricter of the two, so that the interval may exclude 0
 * where nothing is significant. For two models on the same examples use {@link mcnemar}, which sees far smaller differences.
 *
 * @param confidence - of the interval, and 1 less the level of the test; in [0.5, 0.9999].
 * @throws {@link ArgumentError} if a count is not an integer in [0, n], `n < 1`, or the confidence is out of range.
 * @see {@link https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I | Newcombe 1998}.
 *
 * @example
 * ```ts
 * import { compareProportions } from '@moe/report';
 *
 * const { difference, pValue, significant } = compareProportions({ successes: 56, n: 70 }, { successes: 48, n: 80 });
 * console.log(difference.toFixed(2), pValue.toFixed(4), significant); // 0.20 0.0125 true
 * ```
 */
export function compareProportions(a: Count, b: Count, confidence = 0.95): ProportionComparison {
  for (const [name, { successes, n, ...rest }] of Object.entries({ a, b })) {
    expectKnownKeys(`compareProportions: ${name}`, rest, []);
    expectInteger('compareProportions', `${name}.n`, n, 1);
    expectInteger('compareProportions', `${name}.successes`, successes, 0, n);
  }
  expectNumber('compareProportions', 'confidence', confidence, 0.5, 0.9999);
  const [p, q] = [a.successes / a.n, b.successes / b.n];
  const [ofP, ofQ] = [wilsonInterval(a.successes, a.n, confidence), wilsonInterval(b.successes, b.n, confidence)];
  const pValue = fisherExact(a, b);
  return {
    difference: p - q,
    interval: { low: p - q - Math.hypot(p - ofP.low, ofQ.high - q), high: p - q + Math.hypot(ofP.high - p, q - ofQ.low) },
    pValue,
    significant: pValue <= 1 - confidence,
  };
}

/* Sum of the hypergeometric probabilities that do not exceed that of the table seen. */
function fisherExact(a: Count, b: Count): number {
  const logs = logFactorials(a.n + b.n);
  const hits = a.successes + b.successes;
  const choose = (n: number, k: number): number => logs[n]! - logs[k]! - logs[n - k]!;
  const probability = (k: number): number => Math.exp(choose(a.n, k) + choose(b.n, hits - k) - choose(a.n + b.n, hits));
  const seen = probability(a.successes) * (1 + 1e-7); // ties are counted in spite of rounding, as R's fisher.test does
  let sum = 0;
  for (let k = Math.max(0, hits - b.n); k <= Math.min(a.n, hits); k++) {
    const p = probability(k);
    if (p <= seen) sum += p;
  }
  return Math.min(1, sum);
}
