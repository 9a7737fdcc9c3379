import { type Attack, expectArgument, expectInteger, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import type { Goal } from '../internal/best.js';
import { compiledPasses } from '../internal/compiled-passes.js';
import { type Recorded, STEP_KEYS, type StepAttackOptions, expectStepOptions, freeze, nameOf } from '../internal/options.js';
import { type PerExample, derive, expectPerExample } from '../internal/per-example.js';
import { createProblem, toPerturbation } from '../internal/problem.js';
import { ascendWithMomentum } from './momentum-ascent.js';

export interface MifgsmOptions extends StepAttackOptions {
  /** @defaultValue 10 (Dong et al. 2018) */
  readonly steps?: number;
  /** Length of a step, in input units. @defaultValue eps / steps (Dong et al. 2018) */
  readonly stepSize?: PerExample;
  /** Share of the earlier gradients that is kept at each step, ≥ 0. @defaultValue 1 (Dong et al. 2018) */
  readonly momentum?: number;
  /** Takes the gradient where the momentum leads to, not at the point itself (NI-FGSM, Lin et al. 2020). @defaultValue false */
  readonly nesterov?: boolean;
  /**
   * Chance, at every step and for every example, that the gradient is that of a smaller picture at a random place of a black image (DI-FGSM, Xie et al. 2019, who take 0.5).
   * @defaultValue 0
   */
  readonly diversity?: number;
  /** Pixels across which the gradient is smoothed by a Gaussian kernel, odd (TI-FGSM, Dong et al. 2019, who take 15). @defaultValue 1, not at all */
  readonly translation?: number;
  /** As in {@link PgdOptions}; `transferFrom` wants `'maxLoss'` or `'lastStep'`. @defaultValue 'misclassify' */
  readonly goal?: Goal;
}

/**
 * Momentum iterative FGSM, whose points fool other models too; with Nesterov's look ahead, input diversity and translation invariance, alone or together.
 *
 * @remarks
 * g ← momentum · g + ∇ℓ / mean |∇ℓ|, x ← Π(x + stepSize · dir(g)), from the clean input; the order of all is that of the papers: look ahead, shrink, gradient, smooth, gather.
 * Differs from Dong et al. in dividing by the mean of the absolute slopes instead of their sum, as the released codes do: the same direction, but for `nesterov` another reach; and in keeping
 * the best point and stopping rows that are fooled. With `nesterov` or `diversity` the gradient belongs to another point, so only the last point is judged. Smaller pictures have at
 * least nine tenths of the side, as in torchattacks; the paper enlarges instead, which a network of fixed input size does not take.
 * Costs `steps` forward and backward passes, and one forward pass; one more with `nesterov` or `diversity`.
 *
 * @returns A frozen attack; its `options` hold every default. Inputs `[B,H,W,C]` for `diversity` and `translation`.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1710.06081 | Dong et al. 2018}; {@link https://arxiv.org/abs/1908.06281 | Lin et al. 2020}; {@link https://arxiv.org/abs/1803.06978 | Xie et al. 2019};
 * {@link https://arxiv.org/abs/1904.02884 | Dong et al. 2019}.
 *
 * @example
 * const attack = mifgsm({ eps: 8 / 255, nesterov: true, diversity: 0.5, translation: 7, goal: 'maxLoss' });
 */
export function mifgsm(options: MifgsmOptions): Attack<Recorded<MifgsmOptions>> {
  expectKnownKeys('mifgsm', options, [...STEP_KEYS, 'steps', 'stepSize', 'momentum', 'nesterov', 'diversity', 'translation', 'goal']);
  const { eps, norm = 'Linf', loss = 'ce', bounds = [0, 1], label = '', target = 'none', compile } = options;
  const { steps = 10, momentum = 1, nesterov = false, diversity = 0, translation = 1, goal = 'misclassify' } = options;
  expectStepOptions('mifgsm', { eps, norm, loss, bounds, label, target }, compile);
  expectArgument('mifgsm', 'loss', loss !== 'kl', "not be 'kl'", loss, 'The divergence has no gradient at the clean input, where this attack starts.');
  expectInteger('mifgsm', 'steps', steps, 1);
  expectNumber('mifgsm', 'momentum', momentum, 0);
  expectArgument('mifgsm', 'nesterov', typeof nesterov === 'boolean', 'be true or false', nesterov);
  expectNumber('mifgsm', 'diversity', diversity, 0, 1);
  expectInteger('mifgsm', 'translation', translation, 1);
  expectArgument('mifgsm', 'translation', translation % 2 === 1, 'be odd', translation);
  expectOneOf('mifgsm', 'goal', goal, ['misclassify', 'maxLoss', 'lastStep']);
  const { stepSize = derive(eps, steps, (radius, count) => radius / count) } = options;
  expectPerExample('mifgsm', 'stepSize', stepSize, 0);
  const filled = freeze({ eps, norm, loss, bounds, label, target, steps, stepSize, momentum, nesterov, diversity, translation, goal });
  const name = nameOf('mifgsm', label);
  const passesOf = compiledPasses(name, loss, compile);
  return Object.freeze<Attack<Recorded<MifgsmOptions>>>({
    name,
    options: filled,
    access: 'gradient',
    perturb: (model, inputs, labels, context) => {
      const problem = createProblem(name, model, inputs, labels, context, filled.bounds, passesOf);
      return toPerturbation(problem, ascendWithMomentum(problem, filled));
    },
  });
}
