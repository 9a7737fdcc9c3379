import { add, mul, sub } from '@tensorflow/tfjs-core';
import { expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import type { Optimizer } from './optimizer.js';

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** @defaultValue 0 */
  readonly momentum?: number;
  /** Looks ahead along the momentum; needs `momentum > 0`. @defaultValue false */
  readonly nesterov?: boolean;
  /** L2 penalty, added to the gradient of every trainable weight, batch norm and biases included. @defaultValue 0 */
  readonly weightDecay?: number;
}

/**
 * Stochastic gradient descent with momentum, with the formulas of PyTorch.
 *
 * @remarks
 * `d = g + λw`, `b ← μb + d`, `w ← w − η(d + μb)` with Nesterov's momentum, `w ← w − ηb` without. The learning rate η multiplies the
 * momentum buffer b when it is used, not when it is filled; Sutskever et al. do the latter.
 *
 * @throws {@link ArgumentError} if a number is out of range or `nesterov` is asked for without momentum.
 * @see {@link https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html | torch.optim.SGD} with `dampening = 0`.
 *
 * @example
 * const optimizer = sgd({ momentum: 0.9, nesterov: true, weightDecay: 5e-4 });
 */
export function sgd(options: SgdOptions = {}): Optimizer<Required<SgdOptions>> {
  expectKnownKeys('sgd', options, ['momentum', 'nesterov', 'weightDecay']);
  const { momentum = 0, nesterov = false, weightDecay = 0 } = options;
  expectNumber('sgd', 'momentum', momentum, 0);
  expectNumber('sgd', 'weightDecay', weightDecay, 0);
  expectArgument('sgd', 'momentum', !nesterov || momentum > 0, 'be > 0 with nesterov', momentum);
  return {
    name: 'sgd',
    options: { momentum, nesterov, weightDecay },
    slots: momentum > 0 ? ['momentum'] : [],
    rates: ({ learningRate }) => [learningRate],
    update(weight, gradient, [buffer], [learningRate]) {
      const direction = weightDecay > 0 ? add(gradient, mul(weight, weightDecay)) : gradient;
      const moved = buffer === undefined ? direction : add(mul(buffer, momentum), direction);
      const way = nesterov ? add(direction, mul(moved, momentum)) : moved;
      return { weight: sub(weight, mul(way, learningRate!)), slots: buffer === undefined ? [] : [moved] };
    },
  };
}
