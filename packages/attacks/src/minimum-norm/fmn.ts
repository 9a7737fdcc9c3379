import { expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import { type AttackNorm, GEOMETRIES, type MinimumNorm } from '../geometry/geometry.js';
import { projectL0 } from '../geometry/l0.js';
import { ascendL2 } from '../geometry/l2.js';
import { freeze, nameOf } from '../internal/options.js';
import { cwRow } from '../losses/cw-loss.js';
import { straightWay } from './boundary.js';
import { gradientSearch } from './gradient-search.js';
import { MINIMUM_NORM_KEYS, type MinimumNormAttack, type MinimumNormOptions, type RecordedMinimumNorm, expectMinimumNormOptions } from './minimum-norm-attack.js';
import { cosine } from './schedule.js';
import { type Visit, walk } from './walk.js';

export interface FmnOptions extends MinimumNormOptions {
  /** `'L0'` counts the coordinates that change. @defaultValue 'L2' */
  readonly norm?: MinimumNorm;
  /** Steps. @defaultValue 100 (Pintor et al. 2021, Sec. 3) */
  readonly steps?: number;
  /** Length of the first step, in L2 and input units; the last is a hundredth of it. @defaultValue the width of the bounds, 1 for [0, 1] (released code) */
  readonly stepSize?: number;
  /** Share by which the radius changes at first; at last a thousandth. @defaultValue 0.05 (Pintor et al. 2021) */
  readonly radiusChange?: number;
}

const LAST_CHANGE = 0.001; // Pintor et al. 2021, Sec. 3

/**
 * Fast minimum-norm attack: follows the gradient of the margin within a ball whose radius follows the boundary.
 *
 * @remarks
 * Until a misclassified point is known, the radius is where the linearised boundary lies; then it shrinks from misclassified points and grows from others by a share that falls on a cosine,
 * Algorithm 1 of Pintor et al. Differs from the source: before a misclassified point is known the radius never falls, and it reaches beyond the linearised
 * boundary by that share, since rounding and bounds keep points from crossing a boundary that is aimed at exactly; the last point is evaluated; and the way to the nearest point found is
 * halved at last. In L0 the radius is a number of coordinates, which changes by one at least and grows from 1; of the changes those are kept that bounds leave largest.
 *
 * @returns A frozen attack; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/2102.12827 | Pintor et al. 2021}
 *
 * @example
 * const { distances } = fmn({ norm: 'Linf' }).perturb(model, inputs, labels, { rng: createRng(1) });
 */
export function fmn(options: FmnOptions = {}): MinimumNormAttack<RecordedMinimumNorm<FmnOptions>> {
  expectKnownKeys('fmn', options, [...MINIMUM_NORM_KEYS, 'steps', 'stepSize', 'radiusChange']);
  const { eps, norm = 'L2', bounds = [0, 1], label = '', steps = 100, stepSize = bounds[1] - bounds[0], radiusChange = 0.05 } = options;
  const filled = freeze({ ...(eps !== undefined && { eps }), norm, bounds, label, steps, stepSize, radiusChange });
  expectMinimumNormOptions('fmn', filled, ['Linf', 'L2', 'L1', 'L0']);
  expectInteger('fmn', 'steps', steps, 1);
  expectNumber('fmn', 'stepSize', stepSize, 0);
  expectNumber('fmn', 'radiusChange', radiusChange, LAST_CHANGE, 1);
  const project = norm === 'L0' ? projectL0 : GEOMETRIES[norm].project;
  return gradientSearch(nameOf('fmn', label), filled, (problem, nearest) => {
    const radii = new Float64Array(problem.rows);
    walk(problem, nearest, cwRow, steps, (visit) => {
      const { row, step, point, clean, gradient } = visit;
      const change = cosine(radiusChange, LAST_CHANGE, step, steps);
      const [radius, known] = [radii[row]!, nearest.distances[row]!];
      radii[row] = norm === 'L0' ? nextCount(visit, radius, known, change) : nextRadius(norm, visit, radius, known, change);
      ascendL2(point, gradient, cosine(stepSize, stepSize / 100, step, steps), point);
      project(point, clean, { eps: radii[row]!, bounds }, point);
    });
    return straightWay(problem, norm, nearest.points);
  });
}

/** Radius after a visit: smaller by a share from a misclassified point, else larger; before one is known, it reaches beyond the linearised boundary. */
function nextRadius(norm: AttackNorm, { point, clean, loss, wrong, gradient }: Visit, radius: number, known: number, change: number): number {
  const { distance, dualLength } = GEOMETRIES[norm];
  if (wrong) return Math.min(radius * (1 - change), known);
  if (known < Infinity) return radius * (1 + change);
  return Math.max(radius, distance(point, clean) + Math.abs(loss) / (dualLength(gradient) + Number.MIN_VALUE)) * (1 + change);
}

/** The same for a number of coordinates, which changes by one at least; it grows so from the beginning. */
function nextCount({ wrong, point }: Visit, count: number, known: number, change: number): number {
  if (wrong) return Math.max(1, Math.min(count - 1, Math.floor(count * (1 - change)), known));
  return Math.min(point.length, Math.max(count + 1, Math.floor(count * (1 + change))));
}
