import { expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import { ascendL2, distanceL2 } from '../geometry/l2.js';
import { freeze, nameOf } from '../internal/options.js';
import { ceRow } from '../losses/ce-loss.js';
import { straightWay } from './boundary.js';
import { gradientSearch } from './gradient-search.js';
import { MINIMUM_NORM_KEYS, type MinimumNormAttack, type MinimumNormOptions, type RecordedMinimumNorm, expectMinimumNormOptions } from './minimum-norm-attack.js';
import { cosine } from './schedule.js';
import { walk } from './walk.js';

export interface DdnOptions extends Omit<MinimumNormOptions, 'norm'> {
  /** Steps. @defaultValue 100 (Rony et al. 2019, Sec. 4) */
  readonly steps?: number;
  /** First radius, in input units. @defaultValue the width of the bounds, 1 for [0, 1] (Rony et al. 2019) */
  readonly firstRadius?: number;
  /** Share by which the radius shrinks from a misclassified point and grows from another. @defaultValue 0.05 (Rony et al. 2019) */
  readonly radiusChange?: number;
}

/**
 * Decoupled direction and norm: follows the gradient of the cross entropy on a sphere that shrinks while the point is misclassified, and grows while it is not. L2.
 *
 * @remarks
 * Steps of length 1 to 0.01 times the width of the bounds on a cosine, Algorithm 1 of Rony et al. Differs from it: the last point is evaluated too, the way to the nearest point found is
 * halved at last, and points are not rounded to 8 bits.
 *
 * @returns A frozen attack; its `options` hold every default, `norm: 'L2'` among them.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1811.09600 | Rony et al. 2019}
 *
 * @example
 * const { distances } = ddn({ steps: 100 }).perturb(model, inputs, labels, { rng: createRng(1) });
 */
export function ddn(options: DdnOptions = {}): MinimumNormAttack<RecordedMinimumNorm<DdnOptions & { readonly norm: 'L2' }>> {
  expectKnownKeys('ddn', options, [...MINIMUM_NORM_KEYS.filter((key) => key !== 'norm'), 'steps', 'firstRadius', 'radiusChange']);
  const { eps, bounds = [0, 1], label = '', steps = 100, firstRadius = bounds[1] - bounds[0], radiusChange = 0.05 } = options;
  const filled = freeze({ ...(eps !== undefined && { eps }), norm: 'L2' as const, bounds, label, steps, firstRadius, radiusChange });
  expectMinimumNormOptions('ddn', filled);
  expectInteger('ddn', 'steps', steps, 1);
  expectNumber('ddn', 'firstRadius', firstRadius, 0);
  expectNumber('ddn', 'radiusChange', radiusChange, 0, 1);
  const [low, high] = bounds;
  return gradientSearch(nameOf('ddn', label), filled, (problem, nearest) => {
    const radii = new Float64Array(problem.rows).fill(firstRadius);
    walk(problem, nearest, ceRow, steps, ({ row, step, point, clean, wrong, gradient }) => {
      radii[row]! *= wrong ? 1 - radiusChange : 1 + radiusChange;
      ascendL2(point, gradient, cosine(high - low, (high - low) / 100, step, steps), point);
      const length = distanceL2(point, clean);
      // Without a gradient there is no direction to take.
      const scale = length === 0 ? 0 : radii[row]! / length;
      for (let k = 0; k < point.length; k++) point[k] = Math.min(Math.max(clean[k]! + scale * (point[k]! - clean[k]!), low), high);
    });
    return straightWay(problem, 'L2', nearest.points);
  });
}
