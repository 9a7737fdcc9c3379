import { type Attack, expectArgument, expectInteger, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import type { StartKind } from './geometry/ball.js';
import { ascend } from './internal/ascent.js';
import type { Goal } from './internal/best.js';
import { compiledPasses } from './internal/compiled-passes.js';
import { type GradientAttackOptions, type Recorded, SHARED_KEYS, expectSharedOptions, freeze, nameOf } from './internal/options.js';
import { createProblem, toPerturbation } from './internal/problem.js';

export interface PgdOptions extends GradientAttackOptions {
  /** Gradient steps of one restart. @defaultValue 40 (Madry et al. 2018, MNIST) */
  readonly steps?: number;
  /** Length of a step, in input units. @defaultValue 2.5 · eps / steps (Madry et al. 2018, Sec. 5) */
  readonly stepSize?: number;
  /** First point: uniform in the ball, on its surface, or the clean input. @defaultValue 'uniform' (Madry et al. 2018) */
  readonly start?: StartKind | 'none';
  /** Independent runs; later ones attack only what still stands. @defaultValue 1 */
  readonly restarts?: number;
  /**
   * `'misclassify'` leaves wrong rows unchanged and stops a row as soon as it is fooled, for evaluation.
   * `'maxLoss'` runs every step on every row and keeps the highest loss, for adversarial training. @defaultValue 'misclassify'
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
 * Costs `steps` forward and backward passes a restart and one or two forward passes more.
 *
 * @returns A frozen attack; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1706.06083 | Madry et al. 2018}, Sec. 2.1.
 *
 * @example
 * const attack = pgd({ eps: 8 / 255, steps: 20 });
 * const { adversarial, success, loss } = attack.perturb(model, inputs, labels, { rng: createRng(1) });
 */
export function pgd(options: PgdOptions): Attack<Recorded<PgdOptions>> {
  expectKnownKeys('pgd', options, [...SHARED_KEYS, 'steps', 'stepSize', 'start', 'restarts', 'goal']);
  const { eps, norm = 'Linf', loss = 'ce', bounds = [0, 1], label = '', compile, steps = 40, start = 'uniform', restarts = 1, goal = 'misclassify' } = options;
  const { stepSize = (2.5 * eps) / Math.max(1, steps) } = options;
  expectSharedOptions('pgd', { eps, norm, loss, bounds, label }, compile);
  expectInteger('pgd', 'steps', steps, 0);
  expectNumber('pgd', 'stepSize', stepSize, 0);
  expectOneOf('pgd', 'start', start, ['uniform', 'boundary', 'none']);
  expectInteger('pgd', 'restarts', restarts, 1);
  expectArgument('pgd', 'restarts', restarts === 1 || start !== 'none', "be 1 with start 'none'", restarts, 'Every run would be the same.');
  expectOneOf('pgd', 'goal', goal, ['misclassify', 'maxLoss']);
  const filled = freeze({ eps, norm, loss, bounds, label, steps, stepSize, start, restarts, goal });
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
