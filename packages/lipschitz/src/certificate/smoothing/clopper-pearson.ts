import { expectArgument, expectInteger } from '@moe/core';

/** ln of the binomial coefficient n over k, by logarithms in Neumaier's compensated sum, so that 10⁵ of them cost no digits. */
function logChoose(n: number, k: number): number {
  const few = Math.min(k, n - k);
  let [sum, lost] = [0, 0];
  for (let i = 1; i <= few; i++) {
    const term = Math.log((n - few + i) / i);
    const next = sum + term;
    lost += Math.abs(sum) >= Math.abs(term) ? sum - next + term : term - next + sum;
    sum = next;
  }
  return sum + lost;
}

/** P(X ≥ k) for X binomial (n, p) and 0 < p < k / n: terms fall from the first on. */
function upperTail(n: number, k: number, p: number, logCoefficient: number): number {
  const odds = p / (1 - p);
  let term = 1;
  let sum = 1;
  for (let j = k; j < n; j++) {
    term *= ((n - j) / (j + 1)) * odds;
    sum += term;
    if (term < 1e-18 * sum) break;
  }
  return Math.exp(logCoefficient + k * Math.log(p) + (n - k) * Math.log1p(-p)) * sum;
}

/**
 * Lower end of the one-sided Clopper–Pearson interval: the chance p for which `successes` or more of n have probability alpha.
 *
 * @remarks
 * Exact: the true chance is below it with probability at most alpha, for every n. By bisection on the binomial tail; the end that is returned has a tail below alpha, less 1e-9 of alpha for
 * rounding. `k = n` gives `alpha^(1/n)`.
 *
 * @param successes - integer in `[0, n]`.
 * @param n         - number of trials, at least 1.
 * @param alpha     - allowed chance of error, in (0, ½].
 * @see Clopper & Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of the binomial".
 *
 * @example
 * clopperPearsonLower(100, 100, 0.001); // 0.93325…
 */
export function clopperPearsonLower(successes: number, n: number, alpha: number): number {
  const caller = 'clopperPearsonLower';
  expectInteger(caller, 'n', n, 1);
  expectInteger(caller, 'successes', successes, 0, n);
  expectArgument(caller, 'alpha', alpha > 0 && alpha <= 0.5, 'lie in (0, 0.5]', alpha);
  if (successes === 0) return 0;
  const allowed = alpha * (1 - 1e-9);
  const coefficient = logChoose(n, successes);
  // The tail at k / n is at least about ½ for k < n, and 1 for k = n.
  let [low, high] = [0, successes / n];
  while (high - low > 2 ** -52 * high) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    if (upperTail(n, successes, middle, coefficient) <= allowed) low = middle;
    else high = middle;
  }
  return low;
}
