import { expectArgument, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import type { Schedule } from './schedule.js';

/** Options of {@link oneCycle}. */
export interface OneCycleOptions {
  /** Learning rate at the peak. */
  readonly base: number;
  /** Learning rate at the start. @defaultValue `base / 25` */
  readonly start?: number;
  /** Learning rate at the end. @defaultValue `start / 10⁴` */
  readonly end?: number;
  /** Share of the run that rises, in (0, 1). @defaultValue 0.3 */
  readonly rise?: number;
  /** Shape of both ways. @defaultValue 'cosine' */
  readonly anneal?: 'cosine' | 'linear';
}

/**
 * Up to a high rate and down to almost none, once in a run, step by step.
 *
 * @remarks
 * The defaults are those of PyTorch's `OneCycleLR`, which differs in where it ends: its last step has the lowest rate, and its peak lies `1 / steps` earlier. Rates only: momentum stays as it is.
 *
 * @throws {@link ArgumentError} if a number is out of range.
 * @see {@link https://arxiv.org/abs/1708.07120 | Smith & Topin 2017}
 *
 * @example
 * oneCycle({ base: 0.1 }).rate(30, 100); // 0.1
 */
export function oneCycle(options: OneCycleOptions): Schedule<Required<OneCycleOptions>> {
  expectKnownKeys('oneCycle', options, ['base', 'start', 'end', 'rise', 'anneal']);
  const { base, rise = 0.3, anneal = 'cosine' } = options;
  expectNumber('oneCycle', 'base', base, 0);
  const { start = base / 25 } = options;
  expectNumber('oneCycle', 'start', start, 0, base);
  const { end = start / 1e4 } = options;
  expectNumber('oneCycle', 'end', end, 0, base);
  expectArgument('oneCycle', 'rise', rise > 0 && rise < 1, 'lie in (0, 1)', rise);
  expectOneOf('oneCycle', 'anneal', anneal, ['cosine', 'linear']);
  const way = (share: number): number => (anneal === 'linear' ? share : (1 - Math.cos(Math.PI * share)) / 2);
  return {
    name: 'one-cycle',
    options: { base, start, end, rise, anneal },
    rate(position, epochs) {
      const share = position / epochs;
      return share < rise ? start + (base - start) * way(share / rise) : base + (end - base) * way((share - rise) / (1 - rise));
    },
  };
}
