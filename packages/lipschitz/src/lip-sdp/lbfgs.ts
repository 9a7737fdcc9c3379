/** Value at a point, with its gradient when asked; undefined outside the domain. */
export interface Sample {
  readonly objective: number;
  gradient(): Float64Array;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/**
 * L-BFGS with a line search that halves steps out of the domain or without enough descent.
 *
 * @param onStep - called after every step; true ends the search.
 * @returns The best point; steps only ever descend.
 * @see Nocedal & Wright 2006, "Numerical Optimization", Alg. 7.4.
 */
export function minimise(at: (point: Float64Array) => Sample | undefined, start: Float64Array, steps: number, onStep: (sample: Sample, step: number) => boolean): Float64Array {
  const MEMORY = 30;
  let point = start;
  let here = at(point);
  if (here === undefined) return point;
  let slope = here.gradient();
  const pairs: { s: Float64Array; y: Float64Array; rho: number }[] = [];
  for (let step = 0; step < steps; step++) {
    const direction = slope.slice();
    const alphas: number[] = [];
    for (let k = pairs.length - 1; k >= 0; k--) {
      const { s, y, rho } = pairs[k]!;
      const alpha = rho * dot(s, direction);
      alphas[k] = alpha;
      for (let i = 0; i < direction.length; i++) direction[i] = direction[i]! - alpha * y[i]!;
    }
    const last = pairs.at(-1);
    // Without memory the first step moves the multipliers by a tenth of their logarithm at most.
    const scale = last === undefined ? 0.1 / slope.reduce((best, value) => Math.max(best, Math.abs(value)), Number.MIN_VALUE) : 1 / (last.rho * dot(last.y, last.y));
    for (let i = 0; i < direction.length; i++) direction[i] = direction[i]! * scale;
    for (let k = 0; k < pairs.length; k++) {
      const { s, y, rho } = pairs[k]!;
      const beta = rho * dot(y, direction);
      for (let i = 0; i < direction.length; i++) direction[i] = direction[i]! + (alphas[k]! - beta) * s[i]!;
    }
    const descent = dot(direction, slope);
    if (!(descent > 0)) {
      if (pairs.length === 0) return point;
      pairs.length = 0;
      continue;
    }
    let next: Sample | undefined;
    let trial = point;
    let length = 1;
    for (let halving = 0; halving < 30; halving++, length /= 2) {
      trial = point.map((value, i) => value - length * direction[i]!);
      next = at(trial);
      if (next !== undefined && next.objective <= here.objective - 1e-4 * length * descent) break;
      next = undefined;
    }
    if (next === undefined) {
      if (pairs.length === 0) return point;
      pairs.length = 0;
      continue;
    }
    const newSlope = next.gradient();
    const s = trial.map((value, i) => value - point[i]!);
    const y = newSlope.map((value, i) => value - slope[i]!);
    const curvature = dot(s, y);
    if (curvature > 1e-12 * Math.sqrt(dot(s, s) * dot(y, y))) {
      pairs.push({ s, y, rho: 1 / curvature });
      if (pairs.length > MEMORY) pairs.shift();
    }
    [point, here, slope] = [trial, next, newSlope];
    if (onStep(here, step)) break;
  }
  return point;
}
