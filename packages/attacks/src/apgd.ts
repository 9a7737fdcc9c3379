import { type Attack, expectInteger, expectKnownKeys, expectOneOf } from '@moe/core';
import { autoAscend } from './internal/auto-ascent.js';
import { compiledPasses } from './internal/compiled-passes.js';
import { type Recorded, STEP_KEYS, type StepAttackOptions, expectMultiEps, expectStepOptions, freeze, nameOf } from './internal/options.js';
import { createProblem, toPerturbation } from './internal/problem.js';
import type { ApgdVariant } from './internal/step-control.js';

export type { ApgdVariant };

export interface ApgdOptions extends StepAttackOptions {
  /** Gradient steps of one restart. @defaultValue 100 (Croce & Hein 2020) */
  readonly steps?: number;
  /** Independent runs; later ones attack only what still stands. @defaultValue 1 (AutoAttack, standard) */
  readonly restarts?: number;
  /** @defaultValue 'paper' */
  readonly variant?: ApgdVariant;
  /** For L1 alone: 30 % of the steps in a ball of three times the radius, 30 % in one of twice the radius, then the rest in the ball itself. @defaultValue true for L1 (Croce & Hein 2021) */
  readonly multiEps?: boolean;
}

/**
 * AutoPGD: projected gradient descent that chooses its own step sizes, per example.
 *
 * @remarks
 * Algorithm 1 of Croce & Hein: momentum 0.75, first step size 2 eps, halved at checkpoints where fewer than 75 % of the steps raised the loss
 * or nothing was gained, and then restarted from the best point. Starts on the surface of the ball, as the released code does.
 *
 * Differs from the paper, in `variant: 'paper'`: a restart from the best point clears the momentum and the next loss is compared with the
 * best one; rows stop as soon as they are fooled; the first checkpoint cannot halve for want of gain alone.
 *
 * In L1 it is the algorithm of Croce & Hein 2021: no momentum; steps of equal parts along the steepest coordinates, two thirds as many as the best point changes; first step size eps, back
 * to it from the best point whenever that got sparser, else shortened by a third at every 4 % of the steps; exact projections. Differs from the paper: may go down to a single coordinate, and
 * passes over those that a bound stops.
 *
 * `variant: 'autoattack'` does as the released code: integer checkpoint gaps (others for fewer than 100 steps), halving also at exactly 75 %,
 * the first loss compared with 0, momentum kept over a restart, losses compared across it, no early exit inside a run, and the last
 * misclassified point returned. It differs from the released code in making no backward pass after the last step, and in returning the point
 * of highest loss, not the clean input, where it fails.
 *
 * @returns A frozen attack; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/2003.01690 | Croce & Hein 2020}, Sec. 3; {@link https://arxiv.org/abs/2103.01208 | Croce & Hein 2021} for L1.
 *
 * @example
 * const attack = apgd({ eps: 0.5, norm: 'L2', steps: 20 });
 */
export function apgd(options: ApgdOptions): Attack<Recorded<ApgdOptions>> {
  expectKnownKeys('apgd', options, [...STEP_KEYS, 'steps', 'restarts', 'variant', 'multiEps']);
  const { eps, norm = 'Linf', loss = 'ce', bounds = [0, 1], label = '', target = 'none', compile, steps = 100, restarts = 1, variant = 'paper', multiEps = norm === 'L1' } = options;
  expectStepOptions('apgd', { eps, norm, loss, bounds, label, target }, compile);
  expectInteger('apgd', 'steps', steps, 1);
  expectInteger('apgd', 'restarts', restarts, 1);
  expectOneOf('apgd', 'variant', variant, ['paper', 'autoattack']);
  expectMultiEps('apgd', multiEps, norm);
  const filled = freeze({ eps, norm, loss, bounds, label, target, steps, restarts, variant, multiEps });
  const name = nameOf('apgd', label);
  const passesOf = compiledPasses(name, loss, compile);
  return Object.freeze<Attack<Recorded<ApgdOptions>>>({
    name,
    options: filled,
    access: 'gradient',
    perturb: (model, inputs, labels, context) => {
      const problem = createProblem(name, model, inputs, labels, context, filled.bounds, passesOf);
      return toPerturbation(problem, autoAscend(problem, filled));
    },
  });
}
