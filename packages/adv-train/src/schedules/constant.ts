import { expectKnownKeys, expectNumber } from '@moe/core';
import type { Schedule } from './schedule.js';

/** Options of {@link constant}. */
export interface ConstantOptions {
  /** Learning rate. */
  readonly base: number;
}

/**
 * The same learning rate throughout.
 *
 * @throws {@link ArgumentError} if `base` is negative.
 *
 * @example
 * constant({ base: 1e-3 }).rate(7, 100); // 0.001
 */
export function constant(options: ConstantOptions): Schedule<ConstantOptions> {
  expectKnownKeys('constant', options, ['base']);
  const { base } = options;
  expectNumber('constant', 'base', base, 0);
  return { name: 'constant', options: { base }, rate: () => base };
}
