import type { Attack } from '@moe/core';
import { type CombinedOptions, attackRows, combinedOptions, createOutcome, everyRow, expectDistinct, put, widestAccess } from './combined.js';
import { toPerturbation } from '../internal/problem.js';

/**
 * Attacks one after the other, each on what still stands after those before it: the worst case of all, at the cost of few where early ones succeed.
 *
 * @remarks
 * Put cheap attacks first. A part gets the very draws that it would have alone, so an example's verdict is that of the single attacks. The reported loss of a row is that of the last
 * part that attacked it.
 *
 * @param name    - of the attack as a whole; selects no randomness.
 * @param attacks - with distinct names.
 * @returns A frozen attack that needs the widest access of its parts.
 * @throws {@link ArgumentError} if there is no attack, or a name comes twice.
 *
 * @example
 * const attack = sequence('quick', [fgsm({ eps }), pgd({ eps }), apgdTargeted({ eps })]);
 */
export function sequence(name: string, attacks: readonly Attack[]): Attack<CombinedOptions> {
  expectDistinct('sequence', attacks);
  const options = combinedOptions(attacks);
  return Object.freeze<Attack<CombinedOptions>>({
    name,
    options: Object.freeze(options),
    access: widestAccess(attacks),
    perturb(model, inputs, labels, context) {
      const outcome = createOutcome(name, inputs, labels, context, options.bounds);
      let standing = everyRow(outcome);
      for (const attack of attacks) {
        if (standing.length === 0) break;
        attackRows(outcome, attack, model, standing, context, (...found) => put(outcome, ...found));
        standing = standing.filter((row) => outcome.wrong[row] === 0);
      }
      return toPerturbation(outcome, outcome);
    },
  });
}
