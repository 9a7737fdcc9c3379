import { expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import { GEOMETRIES } from '../geometry/geometry.js';
import { ascendL2 } from '../geometry/l2.js';
import { freeze, nameOf } from '../internal/options.js';
import { cwRow } from '../losses/cw-loss.js';
import { straightWay } from './boundary.js';
import { gradientSearch } from './gradient-search.js';
import { MINIMUM_NORM_KEYS, type MinimumNormAttack, type MinimumNormOptions, type RecordedMinimumNorm, expectMinimumNormOptions } from './minimum-norm-attack.js';
import { cosine } from './schedule.js';
import { walk } from './walk.js';

export interface FmnOptions extends MinimumNormOptions {
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
 * halved at last.
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
  expectMinimumNormOptions('fmn', filled);
  expectInteger('fmn', 'steps', steps, 1);
  expectNumber('fmn', 'stepSize', stepSize, 0);
  expectNumber('fmn', 'radiusChange', radiusChange, LAST_CHANGE, 1);
  const { project, distance, dualLength } = GEOMETRIES[norm];
  return gradientSearch(nameOf('fmn', label), filled, (problem, nearest) => {
    const radii = new Float64Array(problem.rows);
    walk(problem, nearest, cwRow, steps, ({ row, step, point, clean, loss, wrong, gradient }) => {
      const change = cosine(radiusChange, LAST_CHANGE, step, steps);
      const known = nearest.distances[row]!;
      if (wrong) radii[row] = Math.min(radii[row]! * (1 - change), known);
      else if (known < Infinity) radii[row]! *= 1 + change;
      else radii[row] = Math.max(radii[row]!, distance(point, clean) + Math.abs(loss) / (dualLength(gradient) + Number.MIN_VALUE)) * (1 + change);
      ascendL2(point, gradient, cosine(stepSize, stepSize / 100, step, steps), point);
      project(point, clean, { eps: radii[row]!, bounds }, point);
    });
    return straightWay(problem, norm, nearest.points);
  });
}
