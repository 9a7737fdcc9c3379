import { expectArgument, expectInteger } from '@moe/core';
import { type RoutedLayer, expectRouted } from './routed-layer.js';
import type { RouterScores } from './router-scores.js';

/** Result of {@link reachableRoutes}. */
export interface ReachableRoutes {
  /** Sets of experts, each ascending, that some input within the radius may be sent to; a superset of those that are. */
  readonly routes: readonly (readonly number[])[];
  /** Whether no route is missing; false once there are more than the limit. */
  readonly complete: boolean;
  /** Experts that every route contains. */
  readonly always: readonly number[];
  /** Experts that some route contains. */
  readonly possible: readonly number[];
}

/**
 * Every set of experts that a top-k router may choose within a ball.
 *
 * @remarks
 * Expert i precedes j if its score stays above that of j on the whole ball. Legal routes are the sets of k experts that contain, with each, all that precede it: ties included, so
 * whatever the router does with them. Pairs are tested one by one, so for k > 1 a set may be listed that no single input reaches.
 *
 * @param radius    - in the norm of the scores.
 * @param maxRoutes - where to stop. @defaultValue 256
 * @throws {@link ArgumentError} if the layer's routing depends on the batch, or the scores are not known that far.
 *
 * @example
 * reachableRoutes(affineScores({ kernel, input }), layer, 0.1).routes; // [[0, 3], [0, 5]]
 */
export function reachableRoutes(scores: RouterScores, layer: RoutedLayer, radius: number, maxRoutes = 256): ReachableRoutes {
  const caller = 'reachableRoutes';
  expectRouted(caller, scores, layer);
  expectArgument(caller, 'radius', radius >= 0 && radius <= scores.limit, `lie in [0, ${scores.limit}], where the scores are known`, radius);
  expectInteger(caller, 'maxRoutes', maxRoutes, 1);
  const { gateLogits } = scores;
  const { topK } = layer;
  // Where i precedes j, i is first here as well.
  const order = Array.from(gateLogits.keys()).sort((a, b) => gateLogits[b]! - gateLogits[a]! || a - b);
  const before = order.map((j, at) => order.slice(0, at).flatMap((i, index) => (scores.largestGap(i, j, radius) < 0 ? [index] : [])));
  const behind = order.map((_, at) => before.filter((list) => list.includes(at)).length);
  const numbers = (holds: (at: number) => boolean): number[] => order.filter((_, at) => holds(at)).sort((a, b) => a - b);

  const routes: number[][] = [];
  const taken: boolean[] = order.map(() => false);
  // Depth first in the order of scores; what precedes an expert has been decided before it.
  const visit = (at: number, count: number): boolean => {
    if (count === topK) {
      routes.push(numbers((index) => taken[index]!));
      return routes.length <= maxRoutes;
    }
    if (order.length - at < topK - count) return true;
    if (before[at]!.every((index) => taken[index])) {
      taken[at] = true;
      const going = visit(at + 1, count + 1);
      taken[at] = false;
      if (!going) return false;
    }
    // An expert that fewer than k others can do without must be in.
    return order.length - behind[at]! <= topK || visit(at + 1, count);
  };
  const complete = visit(0, 0);
  return {
    routes: routes.slice(0, maxRoutes),
    complete,
    always: numbers((at) => order.length - behind[at]! <= topK),
    possible: numbers((at) => before[at]!.length < topK),
  };
}
