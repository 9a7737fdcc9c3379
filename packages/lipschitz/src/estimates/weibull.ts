/** Shape of a Weibull distribution that suits positive values best, by Newton steps on the likelihood. */
function shapeOf(values: readonly number[]): number {
  const logs = values.map(Math.log);
  const mean = logs.reduce((sum, value) => sum + value, 0) / logs.length;
  let shape = 1;
  for (let step = 0; step < 100; step++) {
    let [zeroth, first, second] = [0, 0, 0];
    for (const log of logs) {
      const weight = Math.exp(shape * (log - mean));
      zeroth += weight;
      first += weight * log;
      second += weight * log * log;
    }
    const ratio = first / zeroth;
    const change = (ratio - 1 / shape - mean) / (second / zeroth - ratio * ratio + 1 / (shape * shape));
    shape = Math.max(shape / 4, shape - change);
    if (Math.abs(change) < 1e-10 * shape) break;
  }
  return shape;
}

function logLikelihood(values: readonly number[]): number {
  const shape = shapeOf(values);
  const scale = (values.reduce((sum, value) => sum + value ** shape, 0) / values.length) ** (1 / shape);
  return values.reduce((sum, value) => sum + Math.log(shape / scale) + (shape - 1) * Math.log(value / scale), 0) - values.length;
}

/**
 * Upper end of the reverse Weibull distribution that suits maxima best.
 *
 * @remarks
 * For an end a, the distances a − y are Weibull distributed; the likelihood of a is searched on a grid of distances beyond the largest value, up to ten times the range of the values.
 * Shapes below 1 are left out, since there the likelihood has no maximum.
 */
export function weibullEnd(maxima: Float64Array): number {
  const top = Math.max(...maxima);
  const range = top - Math.min(...maxima);
  // Alike beyond the last places of float32: the end is there.
  if (range <= 1e-6 * top) return top;
  let best = { end: top, likelihood: -Infinity };
  for (let k = -60; k <= 20; k++) {
    const end = top + range * 10 ** (k / 20);
    const distances = Array.from(maxima, (value) => (end - value) / range);
    if (shapeOf(distances) < 1) continue;
    const likelihood = logLikelihood(distances);
    if (likelihood > best.likelihood) best = { end, likelihood };
  }
  return best.end;
}
