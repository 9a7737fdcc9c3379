// Shapes: B batch, R tokens of an example, E experts.
import type { Attack } from '@moe/core';
import { measure } from '../internal/measure.js';
import { freeze } from '../internal/options.js';
import { pickRows } from '../internal/problem.js';
import { weightedModel } from './aims.js';
import { climb } from './climb.js';
import { type RoutingAttackOptions, routingOptions } from './options.js';
import { routingAttack } from './routing-attack.js';
import { readRouting } from './scores.js';

/**
 * Attacks the model as if every example kept the route that its clean input takes; the model with its live routes says what that is worth.
 *
 * @remarks
 * Every layer combines its experts with the weights of the clean pass, so nothing is gained by flipping routes. Beside end-to-end attacks it tells harm to features from harm through routing.
 * A step costs two forward passes and one backward pass.
 *
 * @returns A frozen attack on models that bring `moe`.
 * @throws {@link ArgumentError} if an option is unknown or out of range; `perturb` throws if the model brings no MoE model.
 *
 * @example
 * const attack = frozenRoutes({ eps: 8 / 255 });
 */
export function frozenRoutes(options: RoutingAttackOptions): Attack<Required<RoutingAttackOptions>> {
  const filled = freeze(routingOptions('frozenRoutes', options, []));
  return routingAttack('frozenRoutes', filled, ({ moe, problem, rowLoss, best, all }) => {
    const weights = moe.moeLayers.map((layer) => readRouting(problem, moe, layer, 'combineWeights', problem.inputs));
    climb(problem, filled, rowLoss, best, problem.inputs.slice(), all, { run: 0, runs: 1 }, (points, batch) => {
      const layers = moe.moeLayers.map((layer, i) => ({ layer, weights: pickRows(weights[i]!, batch, weights[i]!.length / problem.rows) }));
      return measure({ ...problem, model: weightedModel(moe, layers), compiled: undefined }, rowLoss, points, batch, true).gradient!;
    });
  });
}
