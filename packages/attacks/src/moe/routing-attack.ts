import type { Attack, MoeModel } from '@moe/core';
import { createBest } from '../internal/best.js';
import { nameOf } from '../internal/options.js';
import { type BestPoints, type Problem, createProblem, toPerturbation } from '../internal/problem.js';
import { LOSSES } from '../losses/losses.js';
import type { RowLoss } from '../losses/row-loss.js';
import { moeOf } from './moe-of.js';
import type { RoutingAttackOptions } from './options.js';

/** What a search over the routes of a model works with. */
interface RoutingTask {
  readonly moe: MoeModel;
  readonly problem: Problem;
  readonly rowLoss: RowLoss;
  /** Where the search leaves what it finds. */
  readonly best: BestPoints;
  /** Numbers of all rows. */
  readonly all: readonly number[];
}

/** The attack of that kind, with filled options, whose rows `search` moves. */
export function routingAttack<Options extends Required<RoutingAttackOptions>>(kind: string, options: Readonly<Options>, search: (task: RoutingTask) => void): Attack<Options> {
  const name = nameOf(kind, options.label);
  return Object.freeze<Attack<Options>>({
    name,
    options,
    access: 'gradient',
    perturb(model, inputs, labels, context) {
      const moe = moeOf(name, model);
      const problem = createProblem(name, model, inputs, labels, context, options.bounds);
      const best = createBest(problem);
      search({ moe, problem, rowLoss: LOSSES[options.loss], best, all: Array.from({ length: problem.rows }, (_, row) => row) });
      return toPerturbation(problem, best);
    },
  });
}
