import { type Attack, expectArgument, expectInteger, expectKnownKeys, expectOneOf } from '@moe/core';
import { ascend } from './internal/ascent.js';
import type { Goal } from './internal/best.js';
import { compiledPasses } from './internal/compiled-passes.js';
import { type Recorded, STEP_KEYS, type StepAttackOptions, expectStepOptions, freeze, nameOf } from './internal/options.js';
import { type PerExample, derive, expectPerExample } from './internal/per-example.js';
import { createProblem, toPerturbation } from './internal/problem.js';
import { STARTS, type Start, defaultStartSize } from './internal/start.js';
import { STEP_DECAYS, STEP_DIRECTIONS, type StepDecay, type StepDirection } from './internal/step-rule.js';

export interface PgdOptions extends StepAttackOptions {
  /** Gradient steps of one restart. @defaultValue 40 (Madry et al. 2018, MNIST) */
  readonly steps?: number;
  /** Length of a step, in input units, of all examples or by example id; with `direction: 'raw'` a factor. @defaultValue 2.5 · eps / steps (Madry et al. 2018, Sec. 5) */
  readonly stepSize?: PerExample;
  /** @defaultValue 'none' */
  readonly decay?: StepDecay;
  /** @defaultValue 'steepest': the sign for L-inf, the gradient at length 1 for L2 */
  readonly direction?: StepDirection;
  /** @defaultValue 'uniform' (Madry et al. 2018) */
  readonly start?: Start;
  /** Radius of a `'uniform'` or `'boundary'` start, standard deviation of a `'normal'` one, size at each coordinate of a `'sign'` one. @defaultValue eps, eps, 0.001, eps / 2 */
  readonly startSize?: PerExample;
  /** Independent runs; later ones attack only what still stands. @defaultValue 1 */
  readonly restarts?: number;
  /**
   * `'misclassify'` leaves wrong rows unchanged and stops a row as soon as it is fooled, for evaluation.
   * `'maxLoss'` runs every step on every row and keeps the highest loss, for adversarial training; `'lastStep'` keeps the last point, as released training codes do.
   * @defaultValue 'misclassify'
   */
  readonly goal?: Goal;
}

/**
 * Projected gradient descent in a ball around each input.
 *
 * @remarks
 * Iterates x ← Π(x + stepSize · dir(∇ℓ)), eq. (1) of Madry et al.; dir is the sign for L-inf and g / (‖g‖₂ + 1e-12) for L2.
 * Differs from Madry et al.: keeps the best point (misclassified first, then highest loss, clean input included), evaluates the last
 * iterate too, and stops rows that are fooled. A row's result depends on seed, name and example id, not on its batch.
 * Costs `steps` forward and backward passes a restart and one or two forward passes more; one more still with `'kl'` or a rule for the target.
 *
 * BIM is `start: 'none'`. The inner attack of TRADES is `loss: 'kl', start: 'normal', goal: 'lastStep'`, with eps 0.031, 10 steps of 0.007 in its released code.
 *
 * @returns A frozen attack; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1706.06083 | Madry et al. 2018}, Sec. 2.1; {@link https://arxiv.org/abs/1607.02533 | Kurakin et al. 2017} for BIM and least likely targets;
 * {@link https://arxiv.org/abs/1901.08573 | Zhang et al. 2019} for TRADES.
 *
 * @example
 * const attack = pgd({ eps: 8 / 255, steps: 20 });
 * const { adversarial, success, loss } = attack.perturb(model, inputs, labels, { rng: createRng(1) });
 */
export function pgd(options: PgdOptions): Attack<Recorded<PgdOptions>> {
  expectKnownKeys('pgd', options, [...STEP_KEYS, 'steps', 'stepSize', 'decay', 'direction', 'start', 'startSize', 'restarts', 'goal']);
  const { eps, norm = 'Linf', loss = 'ce', bounds = [0, 1], label = '', target = 'none', compile } = options;
  const { steps = 40, decay = 'none', direction = 'steepest', start = 'uniform', restarts = 1, goal = 'misclassify' } = options;
  expectStepOptions('pgd', { eps, norm, loss, bounds, label, target }, compile);
  expectInteger('pgd', 'steps', steps, 0);
  expectOneOf('pgd', 'decay', decay, STEP_DECAYS);
  expectOneOf('pgd', 'direction', direction, STEP_DIRECTIONS);
  expectOneOf('pgd', 'start', start, STARTS);
  expectInteger('pgd', 'restarts', restarts, 1);
  expectArgument('pgd', 'restarts', restarts === 1 || start !== 'none', "be 1 with start 'none'", restarts, 'Every run would be the same.');
  expectOneOf('pgd', 'goal', goal, ['misclassify', 'maxLoss', 'lastStep']);
  expectArgument('pgd', 'restarts', restarts === 1 || goal !== 'lastStep', "be 1 with goal 'lastStep'", restarts, 'Only the last run would count.');
  expectArgument('pgd', 'start', start !== 'none' || loss !== 'kl', "not be 'none' with loss 'kl'", start, 'The divergence has no gradient at the clean input.');
  const { stepSize = derive(eps, Math.max(1, steps), (radius, count) => (2.5 * radius) / count), startSize = defaultStartSize(start, eps) } = options;
  expectPerExample('pgd', 'stepSize', stepSize, 0);
  expectPerExample('pgd', 'startSize', startSize, 0);
  const filled = freeze({ eps, norm, loss, bounds, label, target, steps, stepSize, decay, direction, start, startSize, restarts, goal });
  const name = nameOf('pgd', label);
  const passesOf = compiledPasses(name, loss, compile);
  return Object.freeze<Attack<Recorded<PgdOptions>>>({
    name,
    options: filled,
    access: 'gradient',
    perturb: (model, inputs, labels, context) => {
      const problem = createProblem(name, model, inputs, labels, context, filled.bounds, passesOf);
      return toPerturbation(problem, ascend(problem, filled));
    },
  });
}
