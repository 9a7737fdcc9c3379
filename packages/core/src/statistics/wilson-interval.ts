import { expectArgument, expectInteger } from '../checks.js';

/** Confidence interval of a proportion. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Φ(z) − ½ for z ≥ 0; series of Marsaglia 2004, "Evaluating the Normal Distribution". */
function normalMass(z: number): number {
  let term = z;
  let total = z;
  for (let k = 3; total + term !== total; k += 2) total += term *= (z * z) / k;
  return (total * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}

/** z with Φ(z) − ½ = mass in [0, ½). Newton from 0 rises to the root, because Φ is concave there. */
function normalQuantile(mass: number): number {
  let z = 0;
  for (let i = 0; i < 60; i++) {
    const next = z + (mass - normalMass(z)) * Math.sqrt(2 * Math.PI) * Math.exp((z * z) / 2);
    if (Math.abs(next - z) < 1e-13) return next;
    z = next;
  }
  return z;
}

/**
 * Wilson's score interval for a proportion, without continuity correction; honest for few trials and for proportions near 0 and 1.
 *
 * @param successes  - integer in `[0, n]`.
 * @param n          - number of trials; 0 gives `[0, 1]`.
 * @param confidence - chance that such an interval covers the true proportion, in `(0, 1)`. @defaultValue 0.95
 * @throws {@link ArgumentError} if an argument is out of range.
 * @see Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22.
 *
 * @example
 * wilsonInterval(8, 10); // { low: 0.490…, high: 0.943… }
 */
export function wilsonInterval(successes: number, n: number, confidence = 0.95): Interval {
  expectInteger('wilsonInterval', 'n', n, 0);
  expectInteger('wilsonInterval', 'successes', successes, 0, n);
  expectArgument('wilsonInterval', 'confidence', confidence > 0 && confidence < 1, 'lie in (0, 1)', confidence);
  if (n === 0) return { low: 0, high: 1 };
  const z2 = normalQuantile(confidence / 2) ** 2;
  const share = successes / n;
  const centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const half = Math.sqrt(z2 * ((share * (1 - share)) / n + z2 / (4 * n * n))) / (1 + z2 / n);
  return { low: successes === 0 ? 0 : centre - half, high: successes === n ? 1 : centre + half };
}
