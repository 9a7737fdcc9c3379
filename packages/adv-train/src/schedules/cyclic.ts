import { expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import type { Schedule } from './schedule.js';

/** Options of {@link cyclic}. */
export interface CyclicOptions {
  /** Learning rate at the peaks. */
  readonly base: number;
  /** Learning rate between them. @defaultValue 0 */
  readonly min?: number;
  /** Number of cycles in a run. @defaultValue 1 */
  readonly cycles?: number;
  /** Share of a cycle that rises, in (0, 1). @defaultValue 0.5 */
  readonly rise?: number;
}

/**
 * Triangles: up from `min` to `base` and down again, step by step; one for the whole run, as fast adversarial training has it.
 *
 * @throws {@link ArgumentError} if a number is out of range.
 * @see {@link https://arxiv.org/abs/2001.03994 | Wong et al. 2020}; {@link https://arxiv.org/abs/1506.01186 | Smith 2017}.
 *
 * @example
 * cyclic({ base: 0.2 }).rate(7.5, 15); // 0.2
 */
export function cyclic(options: CyclicOptions): Schedule<Required<CyclicOptions>> {
  expectKnownKeys('cyclic', options, ['base', 'min', 'cycles', 'rise']);
  const { base, min = 0, cycles = 1, rise = 0.5 } = options;
  expectNumber('cyclic', 'base', base, 0);
  expectNumber('cyclic', 'min', min, 0, base);
  expectArgument('cyclic', 'cycles', Number.isFinite(cycles) && cycles > 0, 'be a finite number > 0', cycles);
  expectArgument('cyclic', 'rise', rise > 0 && rise < 1, 'lie in (0, 1)', rise);
  return {
    name: 'cyclic',
    options: { base, min, cycles, rise },
    rate(position, epochs) {
      const share = ((position * cycles) / epochs) % 1;
      return min + (base - min) * (share < rise ? share / rise : (1 - share) / (1 - rise));
    },
  };
}
