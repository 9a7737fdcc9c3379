import { expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import type { Schedule, ScheduleResolution } from './schedule.js';

/** Options of {@link warmUp}. */
export interface WarmUpOptions extends ScheduleResolution {
  /** Length in epochs. */
  readonly epochs: number;
  /** Learning rate at the start. @defaultValue 0 */
  readonly from?: number;
  /** Learning rate that the line ends at. @defaultValue that of the other schedule at the end of the warm-up */
  readonly to?: number;
}

/**
 * A line up to the learning rate of another schedule, which then goes on as if it had begun at 0.
 *
 * @throws {@link ArgumentError} if a number is out of range.
 *
 * @example
 * warmUp(piecewise({ base: 1e-3, milestones: [81, 120] }), { epochs: 20, from: 4.5e-5, to: 9.45e-4 }).rate(19, 150); // 9e-4
 */
export function warmUp(schedule: Schedule, options: WarmUpOptions): Schedule {
  expectKnownKeys('warmUp', options, ['epochs', 'from', 'to', 'per']);
  const { epochs: length, from = 0, to, per = 'epoch' } = options;
  expectNumber('warmUp', 'epochs', length, 0);
  expectNumber('warmUp', 'from', from, 0);
  if (to !== undefined) expectNumber('warmUp', 'to', to, 0);
  expectOneOf('warmUp', 'per', per, ['epoch', 'step']);
  return {
    name: 'warm-up',
    options: { epochs: length, from, ...(to !== undefined && { to }), per, schedule: { name: schedule.name, ...schedule.options } },
    rate(position, epochs) {
      const e = per === 'epoch' ? Math.floor(position) : position;
      if (e >= length) return schedule.rate(position, epochs);
      return from + ((to ?? schedule.rate(length, epochs)) - from) * (e / length);
    },
  };
}
