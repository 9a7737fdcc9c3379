import { type Attack, expectInteger, expectKnownKeys, throwIfAborted } from '@moe/core';
import { GEOMETRIES } from './geometry/geometry.js';
import { projectHyperplane } from './geometry/hyperplane.js';
import { createBest, keepBest } from './internal/best.js';
import { compactRows } from './internal/compact.js';
import { marginOfBest } from './internal/margin-of-best.js';
import { measure } from './internal/measure.js';
import { type GradientAttackOptions, expectSharedOptions, freeze, nameOf } from './internal/options.js';
import { type BestPoints, type Problem, createProblem, rowOf, toPerturbation } from './internal/problem.js';
import { rankTargets } from './internal/rank-targets.js';
import { cwRow } from './losses/cw-loss.js';
import { targetedRow } from './losses/targeted-loss.js';

export interface FabOptions extends Omit<GradientAttackOptions, 'loss' | 'compile'> {
  /** How many classes are aimed at, one after the other, most likely first; all others where there are fewer. @defaultValue 9 */
  readonly targets?: number;
  /** Gradient steps for one target. @defaultValue 100 */
  readonly steps?: number;
}

// Croce & Hein 2020, Sec. 3 and released code.
const MOST_BIAS = 0.1;
const OVERSHOOT = 1.05;
const BACKWARD = 0.9;
const LEAST_DISTANCE = 1e-8;
// The way back is at most a tenth too long, which ten halvings bring below a ten-thousandth.
const HALVINGS = 10;

/**
 * Targeted FAB: looks for the nearest input that is misclassified, by projecting on linearised decision boundaries.
 *
 * @remarks
 * Each step moves towards the hyperplane where the target's logit equals the true one's, biased towards the clean input (at most 0.1), with overshoot 1.05; from a misclassified point
 * it steps back by a tenth of the way, and at last it halves the way to the nearest point found, as in the paper. Not led by a loss, so it finds what attacks with vanishing gradients of the loss miss. A row stops as soon as its best point is within `eps`. No
 * random draws. The reported loss is the margin at the returned input; where nothing within `eps` was found, that is the clean input.
 *
 * Differs from AutoAttack: exact projections onto hyperplane and bounds, targets ranked once, early stop, no restarts.
 *
 * @returns A frozen attack; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1907.02044 | Croce & Hein 2020}; the attack FAB-T of AutoAttack.
 *
 * @example
 * const attack = fab({ eps: 8 / 255, steps: 50 });
 */
export function fab(options: FabOptions): Attack<Required<FabOptions>> {
  expectKnownKeys('fab', options, ['eps', 'norm', 'bounds', 'label', 'targets', 'steps']);
  const { eps, norm = 'Linf', bounds = [0, 1], label = '', targets = 9, steps = 100 } = options;
  expectSharedOptions('fab', { eps, norm, loss: 'ce', bounds, label }, undefined);
  expectInteger('fab', 'targets', targets, 1);
  expectInteger('fab', 'steps', steps, 1);
  const filled = freeze({ eps, norm, bounds, label, targets, steps });
  const name = nameOf('fab', label);
  return Object.freeze<Attack<Required<FabOptions>>>({
    name,
    options: filled,
    access: 'gradient',
    perturb(model, inputs, labels, context) {
      const problem = createProblem(name, model, inputs, labels, context, filled.bounds);
      const best = createBest(problem);
      const all = Array.from({ length: problem.rows }, (_, row) => row);
      const clean = measure(problem, cwRow, problem.inputs, all, false);
      keepBest(problem, best, problem.inputs, all, clean, 'misclassify');
      const ranked = rankTargets(clean.logits, problem.labels, filled.targets);
      ranked.forEach((aims, run) => approach(problem, filled, aims, best, run, ranked.length));
      return toPerturbation(problem, marginOfBest(problem, best));
    },
  });
}

/** Nearest misclassified point of each row that was met so far, and how far away it is. */
interface Nearest {
  readonly points: Float32Array;
  readonly distances: Float64Array;
}

/** Walks every row that still stands towards its target, then along the way to the nearest point found; takes over the first point within `eps`. */
function approach(problem: Problem, options: Required<FabOptions>, aims: Int32Array, best: BestPoints, run: number, runs: number): void {
  const { inputs, size, rows, caller, context } = problem;
  const { norm, bounds, steps } = options;
  const { distance } = GEOMETRIES[norm];
  const [low, high] = bounds;
  const points = inputs.slice();
  const nearest: Nearest = { points: inputs.slice(), distances: new Float64Array(rows).fill(Infinity) };
  const moves = new Int32Array(rows);
  const origin = new Float32Array(size);
  const [fromPoint, fromClean] = [new Float32Array(size), new Float32Array(size)];
  const active = (row: number): boolean => best.wrong[row] === 0 && moves[row]! <= steps;
  let batch = compactRows(Array.from({ length: rows }, (_, row) => row), active);

  // A point that is misclassified is only stepped back from, so a row needs at most two passes a step.
  for (let pass = 0; pass <= 2 * steps && batch.length > 0; pass++) {
    throwIfAborted(caller, context.signal);
    const measured = measure(problem, targetedRow('cw', aims), points, batch, true);
    let [total, count] = [0, 0];
    batch.forEach((row, i) => {
      if (!active(row)) return;
      const loss = measured.loss[i]!;
      total += loss;
      count++;
      const [point, clean] = [rowOf(points, row, size), rowOf(inputs, row, size)];
      if (measured.wrong[i] === 1) {
        meet(problem, options, best, nearest, row, point);
        for (let k = 0; k < size; k++) point[k] = clean[k]! + BACKWARD * (point[k]! - clean[k]!);
        return;
      }
      moves[row]!++;
      const normal = rowOf(measured.gradient!, i, size);
      projectHyperplane(norm, point, normal, -loss, bounds, fromPoint);
      // The boundary as linearised at the point, seen from the clean input.
      let ahead = 0;
      for (let k = 0; k < size; k++) ahead += normal[k]! * (clean[k]! - point[k]!);
      projectHyperplane(norm, clean, normal, -(loss + ahead), bounds, fromClean);
      const [a, b] = [Math.max(distance(fromPoint, origin), LEAST_DISTANCE), Math.max(distance(fromClean, origin), LEAST_DISTANCE)];
      const bias = Math.min(a / (a + b), MOST_BIAS);
      for (let k = 0; k < size; k++) {
        const moved = (1 - bias) * (point[k]! + OVERSHOOT * fromPoint[k]!) + bias * (clean[k]! + OVERSHOOT * fromClean[k]!);
        point[k] = Math.min(Math.max(moved, low), high);
      }
    });
    context.onStep?.({ step: run * (2 * steps + 1) + pass, steps: runs * (2 * steps + 1), meanLoss: count === 0 ? 0 : total / count });
    batch = compactRows(batch, active);
  }
  bisect(problem, options, aims, best, nearest);
}

/** Notes a misclassified point; within `eps` its row is done. */
function meet({ inputs, size }: Problem, options: Required<FabOptions>, best: BestPoints, nearest: Nearest, row: number, point: Float32Array): void {
  const { distance, project } = GEOMETRIES[options.norm];
  const clean = rowOf(inputs, row, size);
  const away = distance(point, clean);
  if (away < nearest.distances[row]!) {
    nearest.distances[row] = away;
    rowOf(nearest.points, row, size).set(point);
  }
  if (away > options.eps) return;
  best.wrong[row] = 1;
  project(point, clean, options, rowOf(best.points, row, size));
}

/** Ten halvings of the way from the clean input to the nearest point found, for rows where that was not near enough. */
function bisect(problem: Problem, options: Required<FabOptions>, aims: Int32Array, best: BestPoints, nearest: Nearest): void {
  const { inputs, size, rows } = problem;
  const open = (row: number): boolean => best.wrong[row] === 0 && nearest.distances[row]! < Infinity;
  const [low, high] = [new Float64Array(rows), new Float64Array(rows).fill(1)];
  const [ends, points] = [nearest.points.slice(), inputs.slice()];
  let batch = compactRows(Array.from({ length: rows }, (_, row) => row), open);
  for (let halving = 0; halving < HALVINGS && batch.length > 0; halving++) {
    for (const row of batch) {
      const [point, clean, end] = [rowOf(points, row, size), rowOf(inputs, row, size), rowOf(ends, row, size)];
      const middle = (low[row]! + high[row]!) / 2;
      for (let k = 0; k < size; k++) point[k] = clean[k]! + middle * (end[k]! - clean[k]!);
    }
    const measured = measure(problem, targetedRow('cw', aims), points, batch, false);
    batch.forEach((row, i) => {
      if (!open(row)) return;
      const middle = (low[row]! + high[row]!) / 2;
      if (measured.wrong[i] === 0) low[row] = middle;
      else {
        high[row] = middle;
        meet(problem, options, best, nearest, row, rowOf(points, row, size));
      }
    });
    batch = compactRows(batch, open);
  }
}
