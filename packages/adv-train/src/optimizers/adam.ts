import { add, div, mul, sqrt, square, sub, zerosLike } from '@tensorflow/tfjs-core';
import { expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import type { Optimizer } from './optimizer.js';

/** Options of {@link adam}. */
export interface AdamOptions {
  /** @defaultValue 0.9 */
  readonly beta1?: number;
  /** @defaultValue 0.999 */
  readonly beta2?: number;
  /** Guard added to the denominator. @defaultValue 1e-8 */
  readonly tiny?: number;
  /** L2 penalty, added to the gradient (not decoupled). @defaultValue 0 */
  readonly weightDecay?: number;
}

/**
 * Adam, with the formulas of PyTorch.
 *
 * @remarks
 * `d = g + λw`, `m ← β₁m + (1−β₁)d`, `v ← β₂v + (1−β₂)d²`, `w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + tiny)`, Algorithm 1 of Kingma & Ba; t counts the
 * updates of this weight.
 *
 * @throws {@link ArgumentError} if a number is out of range.
 * @see {@link https://arxiv.org/abs/1412.6980 | Kingma & Ba 2015}.
 *
 * @example
 * const optimizer = adam({ beta2: 0.99 });
 */
export function adam(options: AdamOptions = {}): Optimizer<Required<AdamOptions>> {
  expectKnownKeys('adam', options, ['beta1', 'beta2', 'tiny', 'weightDecay']);
  const { beta1 = 0.9, beta2 = 0.999, tiny = 1e-8, weightDecay = 0 } = options;
  for (const [name, beta] of Object.entries({ beta1, beta2 })) expectArgument('adam', name, beta >= 0 && beta < 1, 'lie in [0, 1)', beta);
  expectNumber('adam', 'tiny', tiny, 0);
  expectNumber('adam', 'weightDecay', weightDecay, 0);
  return {
    name: 'adam',
    options: { beta1, beta2, tiny, weightDecay },
    slots: ['m', 'v'],
    rates: ({ learningRate, updates }) => [learningRate / (1 - beta1 ** (updates + 1)), 1 / Math.sqrt(1 - beta2 ** (updates + 1))],
    update(weight, gradient, [m = zerosLike(weight), v = zerosLike(weight)], [stepSize, scale]) {
      const d = weightDecay > 0 ? add(gradient, mul(weight, weightDecay)) : gradient;
      const mean = add(mul(m, beta1), mul(d, 1 - beta1));
      const variance = add(mul(v, beta2), mul(square(d), 1 - beta2));
      const step = div(mul(mean, stepSize!), add(mul(sqrt(variance), scale!), tiny));
      return { weight: sub(weight, step), slots: [mean, variance] };
    },
  };
}
