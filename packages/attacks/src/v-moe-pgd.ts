import { type Attack, expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import type { Recorded } from './internal/options.js';
import { type PgdOptions, pgd } from './pgd.js';

export interface VMoePgdOptions {
  /** For inputs in [-1, 1]. @defaultValue 1 / 127.5, one step of 8-bit pixels */
  readonly eps?: number;
  /** @defaultValue 40 */
  readonly steps?: number;
}

/**
 * The attack of *On the Adversarial Robustness of Mixture of Experts* as its code was released, to reproduce its numbers.
 *
 * @remarks
 * Steps of eps / steps along the sign of the gradient of the cross entropy, from the clean input, for inputs in [-1, 1]; the last point counts. It is weak: steps of 2.5 · eps / steps,
 * a random start and the best point are usual. Points may leave [-1, 1] by eps, as they do there, so `evaluate` refuses them: judge what `perturb` gives. The released
 * code can attack the balance losses too, which is off by default: see {@link auxiliaryLoss}.
 *
 * @returns `pgd` with these options, named `pgd:v-moe`.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/2210.10253 | Puigcerver et al. 2022}
 *
 * @example
 * const attack = vMoePgd({ eps: 4 / 127.5 });
 */
export function vMoePgd(options: VMoePgdOptions = {}): Attack<Recorded<PgdOptions>> {
  expectKnownKeys('vMoePgd', options, ['eps', 'steps']);
  const { eps = 1 / 127.5, steps = 40 } = options;
  expectNumber('vMoePgd', 'eps', eps, 0);
  expectInteger('vMoePgd', 'steps', steps, 1);
  return pgd({ eps, steps, stepSize: eps / steps, start: 'none', goal: 'lastStep', bounds: [-1 - eps, 1 + eps], label: 'v-moe' });
}
