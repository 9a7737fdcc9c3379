import { type Attack, type Bounds, expectArgument } from '@moe/core';
import { createBest, keepBest } from '../internal/best.js';
import { measure } from '../internal/measure.js';
import { createProblem, toPerturbation } from '../internal/problem.js';
import { ceRow } from '../losses/ce-loss.js';
import { type CombinedOptions, attackRows, combinedOptions, createOutcome, everyRow, expectDistinct, put, widestAccess } from './combined.js';

/**
 * The worst point that several attacks find, by one measure: the first that fools the model, else that of highest cross entropy.
 *
 * @remarks
 * The attacks may differ in norm, as in training against a union of balls. Where all have `goal: 'maxLoss'`, or all `'lastStep'`, each runs on every row and the highest cross entropy
 * wins, whether it fools the model or not, which is the maximum over perturbation types of Tramèr & Boneh. Costs one forward pass for each part more than {@link sequence}, whose verdicts
 * are the same; its losses have no common scale.
 *
 * @param name    - of the attack as a whole; selects no randomness but that of a randomised model.
 * @param attacks - with distinct names and the same bounds, without targets.
 * @returns A frozen attack that needs the widest access of its parts.
 * @throws {@link ArgumentError} if there is no attack, a name comes twice, bounds differ, or an attack has a target.
 * @see {@link https://arxiv.org/abs/1904.13000 | Tramèr & Boneh 2019}, Sec. 3.
 *
 * @example
 * const attack = worstOf('union', [pgd({ eps: 8 / 255, label: 'Linf' }), pgd({ eps: 0.5, norm: 'L2', label: 'L2' })]);
 */
export function worstOf(name: string, attacks: readonly Attack[]): Attack<CombinedOptions> {
  expectDistinct('worstOf', attacks);
  const options = combinedOptions(attacks);
  const { bounds, goal = 'misclassify' } = options;
  expectArgument('worstOf', 'attacks', bounds !== undefined, 'have the same bounds', attacks.map(({ options: { bounds: own } }: Attack<{ bounds?: Bounds }>) => JSON.stringify(own)));
  for (const { name: part, options: { target = 'none' } } of attacks as readonly Attack<CombinedOptions>[]) {
    expectArgument('worstOf', `target of '${part}'`, target === 'none', "be 'none'", target, 'Points are compared by their loss against the label.');
  }
  return Object.freeze<Attack<CombinedOptions>>({
    name,
    options: Object.freeze(options),
    access: widestAccess(attacks),
    perturb(model, inputs, labels, context) {
      const problem = createProblem(name, model, inputs, labels, context, bounds);
      const best = createBest(problem);
      const outcome = createOutcome(name, inputs, labels, context, bounds);
      let rows = everyRow(outcome);
      for (const attack of attacks) {
        if (rows.length === 0) break;
        attackRows(outcome, attack, model, rows, context, (...found) => put(outcome, ...found));
        keepBest(problem, best, outcome.points, rows, measure(problem, ceRow, outcome.points, rows, false), goal === 'misclassify' ? goal : 'maxLoss');
        if (goal === 'misclassify') rows = rows.filter((row) => best.wrong[row] === 0);
      }
      return toPerturbation(problem, best);
    },
  });
}
