import { expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import type { Schedule, ScheduleResolution } from './schedule.js';

/** Options of {@link polynomial}. */
export interface PolynomialOptions extends ScheduleResolution {
  /** Learning rate at the start. */
  readonly base: number;
  /** @defaultValue 0.9 */
  readonly power?: number;
  /** Reproduces the accidental warm-up of the code released with *Robust Experts*: epoch 0 runs at `base / 100`. @defaultValue false */
  readonly legacy?: boolean;
}

/**
 * Polynomial decay to zero: `base · (1 − e/T)^power`.
 *
 * @throws {@link ArgumentError} if a number is out of range.
 * @see {@link https://arxiv.org/abs/2509.05086 | Robust Experts}, training of the ResNet-18.
 *
 * @example
 * polynomial({ base: 0.1 }).rate(100, 200); // 0.0536
 */
export function polynomial(options: PolynomialOptions): Schedule<Required<PolynomialOptions>> {
  expectKnownKeys('polynomial', options, ['base', 'power', 'per', 'legacy']);
  const { base, power = 0.9, per = 'epoch', legacy = false } = options;
  expectNumber('polynomial', 'base', base, 0);
  expectNumber('polynomial', 'power', power, 0);
  expectOneOf('polynomial', 'per', per, ['epoch', 'step']);
  return {
    name: 'polynomial',
    options: { base, power, per, legacy },
    rate(position, epochs) {
      if (legacy && position < 1) return base / 100;
      const e = per === 'epoch' ? Math.floor(position) : position;
      return base * (1 - e / epochs) ** power;
    },
  };
}
