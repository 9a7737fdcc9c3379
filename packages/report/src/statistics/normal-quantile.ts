/**
 * Point below which a standard normal variable falls with probability `p` in [0.5, 1).
 *
 * @remarks
 * Newton's method on Φ(x) = ½ + φ(x) · (x + x³/3 + x⁵/(3·5) + …), Marsaglia 2004; to about 1e-14 for p ≤ 0.99999.
 */
export function normalQuantile(p: number): number {
  let x = 0;
  for (let step = 0; step < 60; step++) {
    const next = x - (cumulative(x) - p) / density(x);
    if (Math.abs(next - x) < 1e-14 * Math.max(1, next)) return next;
    x = next;
  }
  return x;
}

const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

function cumulative(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 3; sum + term !== sum; k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + density(x) * sum;
}
