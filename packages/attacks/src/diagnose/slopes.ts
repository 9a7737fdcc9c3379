// Shapes: B examples, D numbers of one example.
import type { Finding } from '../evaluate/evaluation.js';
import { GEOMETRIES } from '../geometry/geometry.js';
import { measure } from '../internal/measure.js';
import { rowOf } from '../internal/problem.js';
import { cwRow } from '../losses/cw-loss.js';
import { finding } from './doubt.js';
import { type Subject, problemOf, rowsOf } from './subject.js';

/** Length of the secant, in parts of the range of inputs: far above the rounding of float32, far below the radius of any attack. */
const STEP = 1e-3;
const MISMATCH = 0.5;

/** Compares the gradient of the margin with its secant along the direction in which attacks go. */
export function gradientSlopes(subject: Subject): { findings: Finding[]; gradientError: number | null } {
  const { inputs, size, ids, bounds, norm } = subject;
  const problem = problemOf(subject);
  const rows = rowsOf(subject);
  const { gradient, loss } = measure(problem, cwRow, inputs, rows, true);
  const points = inputs.slice();
  const slopes = rows.map((row) => {
    const [clean, point, slope] = [rowOf(inputs, row, size), rowOf(points, row, size), rowOf(gradient!, row, size)];
    // In L2 the step spreads over all coordinates, so it may be longer.
    const length = STEP * (bounds[1] - bounds[0]) * (norm === 'L2' ? Math.sqrt(size) : 1);
    GEOMETRIES[norm].ascend(clean, slope, length, point, bounds);
    GEOMETRIES[norm].project(point, clean, { eps: length, bounds }, point);
    return slope.reduce((total, value, i) => total + value * (point[i]! - clean[i]!), 0);
  });
  const after = measure(problem, cwRow, points, rows, false).loss;
  const errors = rows.filter((row) => slopes[row]! > 0).map((row) => ({ id: ids[row]!, error: Math.abs(after[row]! - loss[row]! - slopes[row]!) / slopes[row]! }));
  if (errors.length === 0) return { findings: [], gradientError: null };
  const sorted = errors.map(({ error }) => error).sort((a, b) => a - b);
  const gradientError = sorted[Math.floor(sorted.length / 2)]!;
  if (gradientError <= MISMATCH) return { findings: [], gradientError };
  const message = `Along its own gradient the margin changes by other amounts than the gradient says: ${(100 * gradientError).toFixed(0)} % off in the median.`;
  const where = errors.filter(({ error }) => error > MISMATCH).map(({ id }) => id);
  return { findings: [finding('gradient-mismatch', 'suspect', message, 'Right for a relaxed backward pass that was meant; else look for steps, quantisation, or a wrong gradient.', where)], gradientError };
}
