import { type Bounds, expectInteger, expectKnownKeys, expectNumber, throwIfAborted } from '@moe/core';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { lengthL1, lengthL2 } from '../geometry/lengths.js';
import { projectHyperplane } from '../geometry/hyperplane.js';
import { compactRows } from '../internal/compact.js';
import { type Measurement, measure } from '../internal/measure.js';
import { freeze, nameOf } from '../internal/options.js';
import { type Problem, rowOf } from '../internal/problem.js';
import { rankTargets } from '../internal/rank-targets.js';
import { cwRow } from '../losses/cw-loss.js';
import { targetedRow } from '../losses/targeted-loss.js';
import { gradientSearch } from './gradient-search.js';
import { MINIMUM_NORM_KEYS, type MinimumNormAttack, type MinimumNormOptions, type RecordedMinimumNorm, expectMinimumNormOptions } from './minimum-norm-attack.js';
import type { Way } from './boundary.js';
import type { Nearest } from './nearest.js';

export interface DeepFoolOptions extends MinimumNormOptions {
  /** @defaultValue 'L2' */
  readonly norm?: AttackNorm;
  /** Steps at most. @defaultValue 50 (Moosavi-Dezfooli et al. 2016, released code) */
  readonly steps?: number;
  /** How many other classes are considered, most likely first; all where there are fewer. @defaultValue 9 (ten classes with the true one, released code) */
  readonly targets?: number;
  /** Share of a step that is added to cross the boundary. @defaultValue 0.02 (Moosavi-Dezfooli et al. 2016) */
  readonly overshoot?: number;
}

/**
 * DeepFool: steps to the nearest of the linearised decision boundaries until the class changes.
 *
 * @remarks
 * Each step takes the change that makes the logit of one of the `targets` equal to the true one, to first order. As in the source, steps do not know the bounds, and their sum is
 * cut to them. Exact for linear models in L-inf and L2. Costs `targets` forward and backward passes a step, and a forward pass.
 *
 * Differs from the source: of the boundaries as linearised, the one nearest to the clean input within the bounds is made for; the sum of the steps is halved at last, down to the boundary; L1, where
 * steps stay within the bounds.
 *
 * @returns A frozen attack; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1511.04599 | Moosavi-Dezfooli et al. 2016}, Algorithm 2 and Sec. 3.3.
 *
 * @example
 * const { distances } = deepFool({ norm: 'L2' }).perturb(model, inputs, labels, { rng: createRng(1) });
 */
export function deepFool(options: DeepFoolOptions = {}): MinimumNormAttack<RecordedMinimumNorm<DeepFoolOptions>> {
  expectKnownKeys('deepFool', options, [...MINIMUM_NORM_KEYS, 'steps', 'targets', 'overshoot']);
  const { eps, norm = 'L2', bounds = [0, 1], label = '', steps = 50, targets = 9, overshoot = 0.02 } = options;
  const filled = freeze({ ...(eps !== undefined && { eps }), norm, bounds, label, steps, targets, overshoot });
  expectMinimumNormOptions('deepFool', filled);
  expectInteger('deepFool', 'steps', steps, 1);
  expectInteger('deepFool', 'targets', targets, 1);
  expectNumber('deepFool', 'overshoot', overshoot, 0);
  return gradientSearch(nameOf('deepFool', label), filled, (problem, nearest, clean) => search(problem, filled, nearest, clean));
}

function search(problem: Problem, { norm, bounds, steps, targets, overshoot }: RecordedMinimumNorm<DeepFoolOptions>, nearest: Nearest, clean: Measurement): Way {
  const { inputs, labels, rows, size, caller, context } = problem;
  const [low, high] = bounds;
  // Sums of all steps; they lead out of the bounds, points do not.
  const totals = new Float32Array(inputs.length);
  const way: Way = (row, share, out) => {
    const [from, total] = [rowOf(inputs, row, size), rowOf(totals, row, size)];
    for (let k = 0; k < size; k++) out[k] = Math.min(Math.max(from[k]! + share * (1 + overshoot) * total[k]!, low), high);
  };
  const points = inputs.slice();
  const ranked = rankTargets(clean.logits, labels, targets);
  const standing = (row: number): boolean => nearest.distances[row] === Infinity;
  let batch = compactRows(Array.from({ length: rows }, (_, row) => row), standing);
  for (let step = 0; step < steps && batch.length > 0; step++) {
    throwIfAborted(caller, context.signal);
    const changes = shortestChanges(problem, norm, bounds, points, batch, ranked);
    for (const row of batch) {
      if (!standing(row)) continue;
      const [total, change] = [rowOf(totals, row, size), rowOf(changes, row, size)];
      for (let k = 0; k < size; k++) total[k]! += change[k]!;
      way(row, 1, rowOf(points, row, size));
    }
    const { loss, wrong } = measure(problem, cwRow, points, batch, false);
    const left = batch.filter(standing);
    context.onStep?.({ step, steps, meanLoss: batch.reduce((sum, row, i) => sum + (standing(row) ? loss[i]! : 0), 0) / Math.max(1, left.length) });
    batch.forEach((row, i) => void (standing(row) && wrong[i] === 1 && nearest.meet(row, rowOf(points, row, size))));
    batch = compactRows(batch, standing);
  }
  return way;
}

/** Of each row the change that reaches the linearised boundary which is nearest to the clean input within the bounds, `[B,D]`. */
function shortestChanges(problem: Problem, norm: AttackNorm, bounds: Bounds, points: Float32Array, batch: readonly number[], ranked: readonly Int32Array[]): Float32Array {
  const { inputs, size, rows } = problem;
  const { distance } = GEOMETRIES[norm];
  const changes = new Float32Array(points.length);
  const shortest = new Float64Array(rows).fill(Infinity);
  const [change, origin] = [new Float32Array(size), new Float32Array(size)];
  for (const aims of ranked) {
    const { loss, gradient } = measure(problem, targetedRow('cw', aims), points, batch, true);
    batch.forEach((row, i) => {
      const [normal, point, clean] = [rowOf(gradient!, i, size), rowOf(points, row, size), rowOf(inputs, row, size)];
      // The boundary as linearised at the point, seen from the clean input.
      let gap = loss[i]!;
      for (let k = 0; k < size; k++) gap += normal[k]! * (clean[k]! - point[k]!);
      projectHyperplane(norm, clean, normal, -gap, bounds, change);
      let reached = gap;
      for (let k = 0; k < size; k++) reached += normal[k]! * change[k]!;
      const length = distance(change, origin) + (reached < 1e-3 * gap ? UNREACHED : 0);
      if (length >= shortest[row]!) return;
      shortest[row] = length;
      if (norm === 'L1') projectHyperplane(norm, point, normal, -loss[i]!, bounds, rowOf(changes, row, size));
      else freeChange(norm, normal, -loss[i]!, NUDGE * (bounds[1] - bounds[0]), rowOf(changes, row, size));
    });
  }
  return changes;
}

/** Added to the length of a change that bounds stop before it arrives. */
const UNREACHED = 1e30;

/** Added to the length of every step, in widths of the bounds: where bounds stop part of a step, the others would come ever nearer to the boundary and never cross it (foolbox). */
const NUDGE = 1e-4;

/** Smallest change of a point that reaches a hyperplane, were there no bounds, and a little more. */
function freeChange(norm: 'Linf' | 'L2', normal: Float32Array, gap: number, nudge: number, out: Float32Array): void {
  const length = norm === 'L2' ? lengthL2(normal) : lengthL1(normal);
  const scale = length === 0 ? 0 : gap / length + nudge;
  for (let k = 0; k < normal.length; k++) out[k] = scale * (norm === 'L2' ? normal[k]! / Math.max(length, Number.MIN_VALUE) : Math.sign(normal[k]!));
}
