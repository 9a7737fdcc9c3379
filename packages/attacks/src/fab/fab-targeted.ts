import { type Attack, expectInteger, expectKnownKeys } from '@moe/core';
import { attackTargets } from '../internal/attack-targets.js';
import { compiledPasses } from '../internal/compiled-passes.js';
import { type GradientAttackOptions, type Recorded, expectSharedOptions, freeze, nameOf } from '../internal/options.js';
import { createProblem } from '../internal/problem.js';
import { approach } from './approach.js';

export interface FabTargetedOptions extends Omit<GradientAttackOptions, 'loss'> {
  /** How many classes are aimed at, one after the other, most likely first; all others where there are fewer. @defaultValue 9 */
  readonly targets?: number;
  /** Steps for one target. @defaultValue 100 */
  readonly steps?: number;
}

/**
 * Targeted FAB: {@link fab} with one run for each of the most likely wrong classes, towards the boundary to that class.
 *
 * @remarks
 * One backward pass a step, where `fab` needs one for every wrong class. No random draws. Differs from AutoAttack as `fab` does, and in ranking the targets once.
 *
 * @returns A frozen attack; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1907.02044 | Croce & Hein 2020}; the attack FAB-T of AutoAttack.
 *
 * @example
 * const attack = fabTargeted({ eps: 8 / 255, steps: 50 });
 */
export function fabTargeted(options: FabTargetedOptions): Attack<Recorded<FabTargetedOptions>> {
  expectKnownKeys('fabTargeted', options, ['eps', 'norm', 'bounds', 'label', 'compile', 'targets', 'steps']);
  const { eps, norm = 'Linf', bounds = [0, 1], label = '', compile, targets = 9, steps = 100 } = options;
  expectSharedOptions('fabTargeted', { eps, norm, loss: 'ce', bounds, label }, compile);
  expectInteger('fabTargeted', 'targets', targets, 1);
  expectInteger('fabTargeted', 'steps', steps, 1);
  const filled = freeze({ eps, norm, bounds, label, targets, steps });
  const name = nameOf('fabTargeted', label);
  const passesOf = compiledPasses(name, 'targeted-cw', compile);
  return Object.freeze<Attack<Recorded<FabTargetedOptions>>>({
    name,
    options: filled,
    access: 'gradient',
    perturb(model, inputs, labels, context) {
      const problem = createProblem(name, model, inputs, labels, context, filled.bounds, passesOf);
      return attackTargets(problem, targets, ({ problem: aimed, aims, ...run }) => approach(aimed, { ...filled, ...run, aims: [aims], points: problem.inputs.slice() }));
    },
  });
}
