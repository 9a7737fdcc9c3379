import { type Attack, expectArgument, expectKnownKeys, expectOneOf } from '@moe/core';
import { ascend } from './internal/ascent.js';
import type { Goal } from './internal/best.js';
import { compiledPasses } from './internal/compiled-passes.js';
import { type Recorded, STEP_KEYS, type StepAttackOptions, expectStepOptions, freeze, nameOf } from './internal/options.js';
import { type PerExample, derive, expectPerExample } from './internal/per-example.js';
import { createProblem, toPerturbation } from './internal/problem.js';
import { defaultStartSize } from './internal/start.js';

export interface FgsmOptions extends StepAttackOptions {
  /** First point: the input, uniform in the ball (FFGSM, Wong et al. 2020), or noise of random sign at every coordinate (R+FGSM, Tramèr et al. 2018). @defaultValue 'none' */
  readonly start?: 'none' | 'uniform' | 'sign';
  /** Radius of a `'uniform'` start, size at each coordinate of a `'sign'` one. @defaultValue eps, eps / 2 */
  readonly startSize?: PerExample;
  /** Length of the step, in input units. @defaultValue eps; 1.25 · eps from a `'uniform'` start (Wong et al. 2020, Sec. 4.1); eps - startSize from a `'sign'` one */
  readonly stepSize?: PerExample;
  /** As in {@link PgdOptions}: `'maxLoss'` and `'lastStep'` step on every row, also on those that are wrong already; what training wants. @defaultValue 'misclassify' */
  readonly goal?: Goal;
}

/**
 * Fast gradient sign method: one step of length eps along the sign of the gradient, or along the gradient for L2.
 *
 * @remarks
 * x' = Π(x + eps · sign(∇ℓ)), Goodfellow et al., Sec. 4. Differs from it: rows that are wrong from the start stay unchanged,
 * and a row whose loss fell keeps its start, but not with `goal: 'lastStep'`.
 *
 * @returns A frozen attack; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1412.6572 | Goodfellow et al. 2015}; {@link https://arxiv.org/abs/2001.03994 | Wong et al. 2020} and {@link https://arxiv.org/abs/1705.07204 | Tramèr et al. 2018} for the random starts.
 *
 * @example
 * const attack = fgsm({ eps: 8 / 255 });
 */
export function fgsm(options: FgsmOptions): Attack<Recorded<FgsmOptions>> {
  expectKnownKeys('fgsm', options, [...STEP_KEYS, 'start', 'startSize', 'stepSize', 'goal']);
  const { eps, norm = 'Linf', loss = 'ce', bounds = [0, 1], label = '', target = 'none', compile, start = 'none', goal = 'misclassify' } = options;
  expectStepOptions('fgsm', { eps, norm, loss, bounds, label, target }, compile);
  expectOneOf('fgsm', 'start', start, ['none', 'uniform', 'sign']);
  expectOneOf('fgsm', 'goal', goal, ['misclassify', 'maxLoss', 'lastStep']);
  expectArgument('fgsm', 'start', start !== 'none' || loss !== 'kl', "not be 'none' with loss 'kl'", start, 'The divergence has no gradient at the clean input.');
  const { startSize = defaultStartSize(start, eps) } = options;
  expectPerExample('fgsm', 'startSize', startSize, 0);
  const { stepSize = start === 'uniform' ? derive(eps, 1.25, (radius, factor) => factor * radius) : derive(eps, startSize, (radius, used) => Math.max(0, radius - used)) } = options;
  expectPerExample('fgsm', 'stepSize', stepSize, 0);
  const filled = freeze({ eps, norm, loss, bounds, label, target, start, startSize, stepSize, goal });
  const name = nameOf('fgsm', label);
  const passesOf = compiledPasses(name, loss, compile);
  return Object.freeze<Attack<Recorded<FgsmOptions>>>({
    name,
    options: filled,
    access: 'gradient',
    perturb: (model, inputs, labels, context) => {
      const problem = createProblem(name, model, inputs, labels, context, filled.bounds, passesOf);
      return toPerturbation(problem, ascend(problem, { ...filled, steps: 1, decay: 'none', direction: 'steepest', restarts: 1 }));
    },
  });
}
