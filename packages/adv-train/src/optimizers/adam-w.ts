import { expectKnownKeys, expectNumber } from '@moe/core';
import { mul } from '@tensorflow/tfjs-core';
import { type AdamOptions, adam } from './adam.js';
import type { Optimizer } from './optimizer.js';

/** Options of {@link adamW}. */
export interface AdamWOptions extends Omit<AdamOptions, 'weightDecay'> {
  /** Share of a weight that a step at learning rate 1 would take away. @defaultValue 0.01 */
  readonly weightDecay?: number;
}

/**
 * Adam with decoupled weight decay, with the formulas of PyTorch.
 *
 * @remarks
 * `w ← (1 − ηλ)w`, then a step of {@link adam} without decay. η is the scheduled learning rate, as in PyTorch; in Algorithm 2 of Loshchilov & Hutter it is the schedule's multiplier alone.
 *
 * @throws {@link ArgumentError} if a number is out of range.
 * @see {@link https://arxiv.org/abs/1711.05101 | Loshchilov & Hutter 2019}.
 *
 * @example
 * const optimizer = adamW({ weightDecay: 0.1 });
 */
export function adamW(options: AdamWOptions = {}): Optimizer<Required<AdamWOptions>> {
  expectKnownKeys('adamW', options, ['beta1', 'beta2', 'tiny', 'weightDecay']);
  const { weightDecay = 0.01, ...rest } = options;
  expectNumber('adamW', 'weightDecay', weightDecay, 0);
  const { options: adamOptions, slots, rates, update } = adam(rest);
  const { beta1, beta2, tiny } = adamOptions;
  return {
    name: 'adamW',
    options: { beta1, beta2, tiny, weightDecay },
    slots,
    rates: (context) => [...rates(context), 1 - context.learningRate * weightDecay],
    update: (weight, gradient, values, [stepSize, scale, kept]) => update(mul(weight, kept!), gradient, values, [stepSize!, scale!]),
  };
}
