import { type Attack, expectInteger, expectKnownKeys, expectOneOf } from '@moe/core';
import { ascendOnce } from './internal/auto-ascent.js';
import { createBest, keepBest } from './internal/best.js';
import { compactRows } from './internal/compact.js';
import { marginOfBest } from './internal/margin-of-best.js';
import { measure } from './internal/measure.js';
import { type GradientAttackOptions, expectSharedOptions, freeze, nameOf } from './internal/options.js';
import { createProblem, toPerturbation } from './internal/problem.js';
import { rankTargets } from './internal/rank-targets.js';
import type { ApgdVariant } from './internal/step-control.js';
import { cwRow } from './losses/cw-loss.js';
import { type TargetedLossName, targetedRow } from './losses/targeted-loss.js';

export interface ApgdTargetedOptions extends Omit<GradientAttackOptions, 'loss' | 'compile'> {
  /** Loss that is maximised; `'dlr'` is `'cw'` for fewer than four classes. @defaultValue 'dlr' */
  readonly loss?: TargetedLossName;
  /** How many classes are aimed at, one after the other, most likely first; all others where there are fewer. @defaultValue 9 */
  readonly targets?: number;
  /** Gradient steps for one target. @defaultValue 100 */
  readonly steps?: number;
  /** See `ApgdOptions.variant`. @defaultValue 'paper' */
  readonly variant?: ApgdVariant;
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
export function apgdTargeted(options: ApgdTargetedOptions): Attack<Required<ApgdTargetedOptions>> {
  expectKnownKeys('apgdTargeted', options, ['eps', 'norm', 'loss', 'bounds', 'label', 'targets', 'steps', 'variant']);
  const { eps, norm = 'Linf', loss = 'dlr', bounds = [0, 1], label = '', targets = 9, steps = 100, variant = 'paper' } = options;
  expectSharedOptions('apgdTargeted', { eps, norm, loss: 'ce', bounds, label }, undefined);
  expectOneOf('apgdTargeted', 'loss', loss, ['cw', 'dlr']);
  expectInteger('apgdTargeted', 'targets', targets, 1);
  expectInteger('apgdTargeted', 'steps', steps, 1);
  expectOneOf('apgdTargeted', 'variant', variant, ['paper', 'autoattack']);
  const filled = freeze({ eps, norm, loss, bounds, label, targets, steps, variant });
  const name = nameOf('apgdTargeted', label);
  return Object.freeze<Attack<Required<ApgdTargetedOptions>>>({
    name,
    options: filled,
    access: 'gradient',
    perturb(model, inputs, labels, context) {
      const problem = createProblem(name, model, inputs, labels, context, filled.bounds);
      const best = createBest(problem);
      let standing: readonly number[] = Array.from({ length: problem.rows }, (_, row) => row);
      const clean = measure(problem, cwRow, problem.inputs, standing, false);
      keepBest(problem, best, problem.inputs, standing, clean, 'misclassify');
      const ranked = rankTargets(clean.logits, problem.labels, filled.targets);
      for (const [run, aims] of ranked.entries()) {
        standing = compactRows(standing, (row) => best.wrong[row] === 0);
        if (standing.length === 0) break;
        // Losses of different targets do not compare: each run starts its record anew.
        for (const row of standing) if (best.wrong[row] === 0) best.loss[row] = -Infinity;
        ascendOnce(problem, { ...filled, restarts: ranked.length }, targetedRow(filled.loss, aims), best, standing, run);
      }
      return toPerturbation(problem, marginOfBest(problem, best));
    },
  });
}
