import { type Attack, type Bounds, type LogitsFn, type Perturbation, expectArgument } from '@moe/core';
import { createBest, keepBest } from '../internal/best.js';
import { measure } from '../internal/measure.js';
import { createProblem, toPerturbation } from '../internal/problem.js';
import { ceRow } from '../losses/ce-loss.js';
import { type CombinedOptions, attackRows, combinedOptions, createOutcome, everyRow, put } from './combined.js';

/** What {@link transferFrom} finds. */
export interface TransferPerturbation extends Perturbation {
  /** 1 where the source was fooled, `[B]`, so that an attack that failed is told from one that did not transfer. */
  readonly fooledSource: Int32Array;
}

/** An attack made by {@link transferFrom}. */
export interface TransferAttack extends Attack<CombinedOptions> {
  perturb(...args: Parameters<Attack['perturb']>): TransferPerturbation;
}

/**
 * An attack crafted on one model and tried on another, of which it sees nothing.
 *
 * @remarks
 * Rows that the attacked model has wrong from the start stay unchanged. Success and loss, the cross entropy against the label, are those of the attacked model; with a target, success is
 * still any wrong class.
 *
 * @param name   - of the attack as a whole, e.g. `'transfer:resnet'`; the attack's own name selects its randomness.
 * @param source - model that the attack sees.
 * @param attack - one that goes on beyond the first success, e.g. `mifgsm({ …, goal: 'maxLoss' })`.
 * @throws {@link ArgumentError} if the attack stops as soon as the source is fooled, or has no bounds.
 *
 * @example
 * const attack = transferFrom('transfer:cnn', source, mifgsm({ eps: 8 / 255, diversity: 0.5, goal: 'maxLoss' }));
 */
export function transferFrom(name: string, source: LogitsFn, attack: Attack): TransferAttack {
  const { target: _, ...options } = combinedOptions([attack]);
  const { goal, bounds } = options;
  expectArgument('transferFrom', 'attack.options.goal', goal !== 'misclassify', "not be 'misclassify'", goal, "Such a point hardly fools its source; pass goal: 'maxLoss'.");
  expectBounds(bounds);
  return Object.freeze<TransferAttack>({
    name,
    options: Object.freeze(options),
    access: 'decision',
    perturb(model, inputs, labels, context) {
      const problem = createProblem(name, model, inputs, labels, context, bounds);
      const outcome = createOutcome(name, inputs, labels, context, bounds);
      const best = createBest(problem);
      const all = everyRow(outcome);
      keepBest(problem, best, problem.inputs, all, measure(problem, ceRow, problem.inputs, all, false), 'misclassify');
      const standing = all.filter((row) => best.wrong[row] === 0);
      if (standing.length > 0) {
        attackRows(outcome, attack, source, standing, context, (...found) => put(outcome, ...found));
        keepBest(problem, best, outcome.points, standing, measure(problem, ceRow, outcome.points, standing, false), 'lastStep');
      }
      return { ...toPerturbation(problem, best), fooledSource: Int32Array.from(outcome.wrong) };
    },
  });
}

function expectBounds(bounds: Bounds | undefined): asserts bounds is Bounds {
  expectArgument('transferFrom', 'attack.options.bounds', bounds !== undefined, 'be recorded', bounds);
}
