// Shapes: B batch, D numbers of one example.
import { expectInteger, expectKnownKeys, expectNumber, throwIfAborted } from '@moe/core';
import { compactRows } from '../internal/compact.js';
import { measure } from '../internal/measure.js';
import { freeze, nameOf } from '../internal/options.js';
import { type Problem, rowOf } from '../internal/problem.js';
import { cwRow } from '../losses/cw-loss.js';
import { straightWay } from './boundary.js';
import { gradientSearch } from './gradient-search.js';
import { MINIMUM_NORM_KEYS, type MinimumNormAttack, type MinimumNormOptions, type RecordedMinimumNorm, expectMinimumNormOptions } from './minimum-norm-attack.js';
import type { Nearest } from './nearest.js';

export interface CarliniWagnerOptions extends Omit<MinimumNormOptions, 'norm'> {
  /** Steps of Adam for one weight. @defaultValue 10000 (Carlini & Wagner 2017, released code) */
  readonly steps?: number;
  /** Learning rate of Adam, in the space of the hyperbolic tangent. @defaultValue 0.01 (released code) */
  readonly learningRate?: number;
  /** Weights of the margin that are tried, one after the other. @defaultValue 9 (released code) */
  readonly searches?: number;
  /** First weight of the margin against the squared distance in widths of the bounds. @defaultValue 0.001 (released code) */
  readonly firstWeight?: number;
}

const LARGEST = 0.999999; // keeps inputs on the bounds where the hyperbolic tangent still moves
const [DECAY1, DECAY2, TINY] = [0.9, 0.999, 1e-8]; // Kingma & Ba 2015

/**
 * Carlini & Wagner's attack: minimises squared distance plus a weight times the margin, by Adam, for a weight found by halving. L2.
 *
 * @remarks
 * Inputs are hyperbolic tangents of the variables, so bounds need no projection. The weight is multiplied by ten until a misclassified point is found, then halved between what sufficed
 * and what did not. A run stops when a tenth of its steps brought no progress.
 *
 * Differs from the source: progress is judged for every row by itself, so a row's result does not depend on its batch; distances are to the true input, not to its image under the change of
 * variables; and the way to the nearest point found is halved at last. No margin beyond the boundary is asked for (κ = 0).
 *
 * @returns A frozen attack; its `options` hold every default, `norm: 'L2'` among them.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1608.04644 | Carlini & Wagner 2017}, Sec. VI.A.
 *
 * @example
 * const { distances } = carliniWagner({ steps: 1000 }).perturb(model, inputs, labels, { rng: createRng(1) });
 */
export function carliniWagner(options: CarliniWagnerOptions = {}): MinimumNormAttack<RecordedMinimumNorm<CarliniWagnerOptions & { readonly norm: 'L2' }>> {
  expectKnownKeys('carliniWagner', options, [...MINIMUM_NORM_KEYS.filter((key) => key !== 'norm'), 'steps', 'learningRate', 'searches', 'firstWeight']);
  const { eps, bounds = [0, 1], label = '', steps = 10_000, learningRate = 0.01, searches = 9, firstWeight = 0.001 } = options;
  const filled = freeze({ ...(eps !== undefined && { eps }), norm: 'L2' as const, bounds, label, steps, learningRate, searches, firstWeight });
  expectMinimumNormOptions('carliniWagner', filled);
  expectInteger('carliniWagner', 'steps', steps, 1);
  expectNumber('carliniWagner', 'learningRate', learningRate, Number.MIN_VALUE);
  expectInteger('carliniWagner', 'searches', searches, 1);
  expectNumber('carliniWagner', 'firstWeight', firstWeight, Number.MIN_VALUE);
  return gradientSearch(nameOf('carliniWagner', label), filled, (problem, nearest) => {
    const weights = new Float64Array(problem.rows).fill(firstWeight);
    const [enough, tooSmall] = [new Float64Array(problem.rows).fill(Infinity), new Float64Array(problem.rows)];
    for (let search = 0; search < searches; search++) {
      const found = minimise(problem, filled, nearest, weights, search);
      found.forEach((value, row) => {
        (value === 1 ? enough : tooSmall)[row] = weights[row]!;
        weights[row] = enough[row] === Infinity ? weights[row]! * 10 : (enough[row]! + tooSmall[row]!) / 2;
      });
    }
    return straightWay(problem, 'L2', nearest.points);
  });
}

/** One run of Adam from the clean inputs for the given weights `[B]`; returns 1 for rows that had a misclassified point. */
function minimise(problem: Problem, options: Required<Omit<CarliniWagnerOptions, 'eps'>>, nearest: Nearest, weights: Float64Array, search: number): Uint8Array {
  const { inputs, rows, size, caller, context } = problem;
  const { bounds, steps, learningRate, searches } = options;
  const [middle, half] = [(bounds[0] + bounds[1]) / 2, (bounds[1] - bounds[0]) / 2];
  const variables = Float64Array.from(inputs, (value) => Math.atanh((LARGEST * (value - middle)) / half));
  const [first, second] = [new Float64Array(inputs.length), new Float64Array(inputs.length)];
  const points = Float32Array.from(variables, (value) => middle + half * Math.tanh(value));
  const totals = new Float64Array(rows).fill(Infinity);
  const [found, stuck] = [new Uint8Array(rows), new Uint8Array(rows)];
  const active = (row: number): boolean => stuck[row] === 0 && nearest.open(row);
  let batch = compactRows(Array.from({ length: rows }, (_, row) => row), active);
  for (let step = 0; step < steps && batch.length > 0; step++) {
    throwIfAborted(caller, context.signal);
    const { loss, wrong, gradient } = measure(problem, cwRow, points, batch, step < steps - 1);
    let [sum, count] = [0, 0];
    batch.forEach((row, i) => {
      if (!active(row)) return;
      sum += loss[i]!;
      count++;
      const [point, clean] = [rowOf(points, row, size), rowOf(inputs, row, size)];
      if (wrong[i] === 1) {
        found[row] = 1;
        nearest.meet(row, point);
      }
      const hinge = Math.max(0, -loss[i]!);
      if (step % Math.ceil(steps / 10) === 0) {
        let total = weights[row]! * hinge;
        for (let k = 0; k < size; k++) total += ((point[k]! - clean[k]!) / (2 * half)) ** 2;
        stuck[row] = Number(!(total <= 0.9999 * totals[row]!));
        totals[row] = total;
      }
      if (gradient === undefined || !active(row)) return;
      const pull = hinge > 0 ? weights[row]! : 0;
      for (let k = 0, at = row * size; k < size; k++, at++) {
        const tangent = Math.tanh(variables[at]!);
        const slope = ((point[k]! - clean[k]!) / (2 * half * half) - pull * gradient[i * size + k]!) * half * (1 - tangent * tangent);
        first[at] = DECAY1 * first[at]! + (1 - DECAY1) * slope;
        second[at] = DECAY2 * second[at]! + (1 - DECAY2) * slope * slope;
        variables[at]! -= (learningRate * first[at]!) / (1 - DECAY1 ** (step + 1)) / (Math.sqrt(second[at]! / (1 - DECAY2 ** (step + 1))) + TINY);
        point[k] = middle + half * Math.tanh(variables[at]!);
      }
    });
    context.onStep?.({ step: search * steps + step, steps: searches * steps, meanLoss: count === 0 ? 0 : sum / count });
    batch = compactRows(batch, active);
  }
  return found;
}
