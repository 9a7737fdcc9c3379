import { type Attack, expectInteger, expectKnownKeys, expectOneOf } from '@moe/core';
import { attackTargets } from './internal/attack-targets.js';
import { ascendBy } from './internal/auto-ascent.js';
import { compiledPasses } from './internal/compiled-passes.js';
import { type GradientAttackOptions, type Recorded, SHARED_KEYS, expectMultiEps, expectSharedOptions, freeze, nameOf } from './internal/options.js';
import { createProblem } from './internal/problem.js';
import type { ApgdVariant } from './internal/step-control.js';
import { type TargetedLossName, targetedRow } from './losses/targeted-loss.js';

export interface ApgdTargetedOptions extends Omit<GradientAttackOptions, 'loss'> {
  /** Loss that is maximised; `'dlr'` is `'cw'` for fewer than four classes. @defaultValue 'dlr' */
  readonly loss?: TargetedLossName;
  /** How many classes are aimed at, one after the other, most likely first; all others where there are fewer. @defaultValue 9 */
  readonly targets?: number;
  /** Gradient steps for one target. @defaultValue 100 */
  readonly steps?: number;
  /** See `ApgdOptions.variant`. @defaultValue 'paper' */
  readonly variant?: ApgdVariant;
  /** See `ApgdOptions.multiEps`. @defaultValue true for L1 */
  readonly multiEps?: boolean;
}

/**
 * Targeted AutoPGD: one run for each of the most likely wrong classes.
 *
 * @remarks
 * Targets are ranked by the logits of the clean input, once. Each run attacks only what still stands, from the clean input, with a random start of its own. The reported loss is the
 * margin `max_{j≠y} z_j - z_y` at the returned input, since the losses of different targets have no common scale. Differs from AutoAttack in ranking once, and in never asking for more
 * targets than there are.
 *
 * @returns A frozen attack; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/2003.01690 | Croce & Hein 2020}, Sec. 4; the attack APGD-T of AutoAttack.
 *
 * @example
 * const attack = apgdTargeted({ eps: 8 / 255, targets: 3 });
 */
export function apgdTargeted(options: ApgdTargetedOptions): Attack<Recorded<ApgdTargetedOptions>> {
  expectKnownKeys('apgdTargeted', options, [...SHARED_KEYS, 'targets', 'steps', 'variant', 'multiEps']);
  const { eps, norm = 'Linf', loss = 'dlr', bounds = [0, 1], label = '', compile, targets = 9, steps = 100, variant = 'paper', multiEps = norm === 'L1' } = options;
  expectSharedOptions('apgdTargeted', { eps, norm, loss: 'ce', bounds, label }, compile);
  expectOneOf('apgdTargeted', 'loss', loss, ['cw', 'dlr']);
  expectInteger('apgdTargeted', 'targets', targets, 1);
  expectInteger('apgdTargeted', 'steps', steps, 1);
  expectOneOf('apgdTargeted', 'variant', variant, ['paper', 'autoattack']);
  expectMultiEps('apgdTargeted', multiEps, norm);
  const filled = freeze({ eps, norm, loss, bounds, label, targets, steps, variant, multiEps });
  const name = nameOf('apgdTargeted', label);
  const passesOf = compiledPasses(name, `targeted-${loss}`, compile);
  return Object.freeze<Attack<Recorded<ApgdTargetedOptions>>>({
    name,
    options: filled,
    access: 'gradient',
    perturb(model, inputs, labels, context) {
      const problem = createProblem(name, model, inputs, labels, context, filled.bounds, passesOf);
      return attackTargets(problem, filled.targets, ({ problem: aimed, aims, standing, best, run, runs }) => {
        // Losses of different targets do not compare: each run starts its record anew.
        for (const row of standing) if (best.wrong[row] === 0) best.loss[row] = -Infinity;
        ascendBy(norm)(aimed, { ...filled, restarts: runs }, targetedRow(filled.loss, aims), best, standing, run);
      });
    },
  });
}
