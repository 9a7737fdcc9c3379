import { type Attack, expectArgument, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { ascend } from './internal/ascent.js';
import type { Goal } from './internal/best.js';
import { compiledPasses } from './internal/compiled-passes.js';
import { type GradientAttackOptions, type Recorded, SHARED_KEYS, expectSharedOptions, freeze, nameOf } from './internal/options.js';
import { createProblem, toPerturbation } from './internal/problem.js';

export interface FgsmOptions extends GradientAttackOptions {
  /** Starts uniformly in the ball instead of at the input (FGSM-RS, Wong et al. 2020). @defaultValue false */
  readonly randomStart?: boolean;
  /** Length of the step, in input units. @defaultValue eps; 1.25 · eps with a random start (Wong et al. 2020, Sec. 4.1) */
  readonly stepSize?: number;
  /** As in {@link PgdOptions}: `'maxLoss'` steps on every row, also on those that are wrong already; what training wants. @defaultValue 'misclassify' */
  readonly goal?: Goal;
}

/**
 * Fast gradient sign method: one step of length eps along the sign of the gradient, or along the gradient for L2.
 *
 * @remarks
 * x' = Π(x + eps · sign(∇ℓ)), Goodfellow et al., Sec. 4. Differs from it: rows that are wrong from the start stay unchanged,
 * and a row whose loss fell keeps its start.
 *
 * @returns A frozen attack; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1412.6572 | Goodfellow et al. 2015}; {@link https://arxiv.org/abs/2001.03994 | Wong et al. 2020} for the random start.
 *
 * @example
 * const attack = fgsm({ eps: 8 / 255 });
 */
export function fgsm(options: FgsmOptions): Attack<Recorded<FgsmOptions>> {
  expectKnownKeys('fgsm', options, [...SHARED_KEYS, 'randomStart', 'stepSize', 'goal']);
  const { eps, norm = 'Linf', loss = 'ce', bounds = [0, 1], label = '', compile, randomStart = false, goal = 'misclassify' } = options;
  const { stepSize = randomStart ? 1.25 * eps : eps } = options;
  expectSharedOptions('fgsm', { eps, norm, loss, bounds, label }, compile);
  expectArgument('fgsm', 'randomStart', typeof randomStart === 'boolean', 'be true or false', randomStart);
  expectNumber('fgsm', 'stepSize', stepSize, 0);
  expectOneOf('fgsm', 'goal', goal, ['misclassify', 'maxLoss']);
  const filled = freeze({ eps, norm, loss, bounds, label, randomStart, stepSize, goal });
  const name = nameOf('fgsm', label);
  const passesOf = compiledPasses(name, loss, compile);
  return Object.freeze<Attack<Recorded<FgsmOptions>>>({
    name,
    options: filled,
    access: 'gradient',
    perturb: (model, inputs, labels, context) => {
      const problem = createProblem(name, model, inputs, labels, context, filled.bounds, passesOf);
      const start = randomStart ? 'uniform' : 'none';
      return toPerturbation(problem, ascend(problem, { ...filled, steps: 1, start, restarts: 1 }));
    },
  });
}
