import { expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import type { Schedule } from './schedule.js';

/** Options of {@link piecewise}. */
export interface PiecewiseOptions {
  /** Learning rate before the first milestone. */
  readonly base: number;
  /** Epochs, ascending, from which on the rate is multiplied once more. */
  readonly milestones: readonly number[];
  /** @defaultValue 0.1 */
  readonly factor?: number;
}

/**
 * A learning rate that drops at given epochs: `base · factor^(milestones passed)`.
 *
 * @throws {@link ArgumentError} if the milestones do not ascend.
 *
 * @example
 * piecewise({ base: 0.1, milestones: [100, 150] }).rate(120, 200); // 0.01
 */
export function piecewise(options: PiecewiseOptions): Schedule<Required<PiecewiseOptions>> {
  expectKnownKeys('piecewise', options, ['base', 'milestones', 'factor']);
  const { base, milestones, factor = 0.1 } = options;
  expectNumber('piecewise', 'base', base, 0);
  expectNumber('piecewise', 'factor', factor, 0);
  const ascending = milestones.every((milestone, i) => milestone > (milestones[i - 1] ?? -1));
  expectArgument('piecewise', 'milestones', ascending, 'be epochs ≥ 0 in ascending order', milestones);
  return {
    name: 'piecewise',
    options: { base, milestones: [...milestones], factor },
    rate: (position) => base * factor ** milestones.filter((milestone) => position >= milestone).length,
  };
}
