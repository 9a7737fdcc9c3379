const SQRT_2PI = Math.sqrt(2 * Math.PI);

/** Φ(z) − ½, odd in z. Series of Marsaglia 2004, "Evaluating the Normal Distribution"; all terms have one sign. */
function centralMass(z: number): number {
  let term = z;
  let total = z;
  for (let k = 3; total + term !== total; k += 2) total += term *= (z * z) / k;
  return (total * Math.exp((-z * z) / 2)) / SQRT_2PI;
}

/** 1 − Φ(z) for z ≥ 3, by the continued fraction of Laplace, evaluated from its end. */
function upperTail(z: number): number {
  let fraction = z;
  for (let k = 80; k >= 1; k--) fraction = z + k / fraction;
  return Math.exp((-z * z) / 2) / (fraction * SQRT_2PI);
}

/**
 * z with Φ(z) = p for p in (½, 1).
 *
 * @remarks
 * Newton's method from 0 rises to the root, since Φ is concave there; tails by their own fraction, so that p close to 1 keeps its digits.
 */
export function normalQuantile(p: number): number {
  const tail = 1 - p;
  let z = 0;
  for (let i = 0; i < 400; i++) {
    const missing = z < 3 ? p - 0.5 - centralMass(z) : upperTail(z) - tail;
    const step = missing * SQRT_2PI * Math.exp((z * z) / 2);
    z += step;
    if (Math.abs(step) < 1e-14 * Math.max(1, z)) break;
  }
  return z;
}
