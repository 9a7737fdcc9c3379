import type { OperatorNorm, SoundBound } from '@moe/core';
import { expectArgument } from '@moe/core';
import { roundDown } from '../internal/rounding.js';
import { domainRadius, expectSound } from '../internal/sound.js';
import { type RoutedLayer, chosenExperts, expectRouted } from './routed-layer.js';
import type { RouterScores } from './router-scores.js';

/** A radius within which a choice of experts does not change. */
export interface RouteStability {
  readonly radius: number;
  readonly norm: OperatorNorm;
  /** Chance that the radius holds: 1 if proved, less if estimated from samples. */
  readonly confidence: number;
}

/** Result of {@link routeRadius}. */
export interface RouteRadius extends RouteStability {
  readonly layer: string;
  /** Experts chosen at the input, ascending. */
  readonly chosen: readonly number[];
  /** The chosen expert that is lost first and the one that takes its place; absent if all are chosen. */
  readonly rival?: readonly [lost: number, gained: number];
  /** Whether the route does change at the radius, up to rounding. */
  readonly exact: boolean;
}

/**
 * Radius within which a top-k router chooses the same experts.
 *
 * @remarks
 * `min (zᵢ − zⱼ) / ‖wᵢ − wⱼ‖_q` over chosen i and others j for affine scores, where it is exact, with a box too; a margin over a bound otherwise. A tie at the input gives 0.
 *
 * @param scores - by {@link affineScores} or {@link boundedScores}.
 * @param layer  - an entry of `MoeModel.moeLayers`.
 * @throws {@link ArgumentError} if the layer's routing depends on the batch.
 * @see {@link https://arxiv.org/abs/2210.10253 | Puigcerver et al. 2022} for the role of routing margins.
 *
 * @example
 * const { radius, rival } = routeRadius(affineScores({ kernel, input }), model.moeLayers[0]);
 */
export function routeRadius(scores: RouterScores, layer: RoutedLayer): RouteRadius {
  expectRouted('routeRadius', scores, layer);
  const chosen = chosenExperts(scores, layer.topK);
  const others = Array.from(scores.gateLogits.keys()).filter((e) => !chosen.includes(e));
  const shared = { norm: scores.norm, confidence: 1, layer: layer.name, chosen, exact: scores.exact };
  let best: { radius: number; rival: [number, number] } | undefined;
  for (const lost of chosen) {
    for (const gained of others) {
      const radius = scores.distance(lost, gained);
      if (best === undefined || radius < best.radius) best = { radius, rival: [lost, gained] };
    }
  }
  return best === undefined ? { ...shared, radius: Infinity } : { ...shared, ...best };
}

/**
 * The radius, at the input of a model, of a route that was found at the input of a router behind other layers.
 *
 * @remarks
 * `min(ball of the bound, radius / L)`. With several MoE layers, take for each the bound of what lies before it with the earlier routes fixed; within the smallest of the radii no
 * route changes, since the first that did would lie behind layers whose routes are still the same.
 *
 * @param route - at the router's input.
 * @param before - sound bound of the map from the model's input to the router's, routes before it fixed.
 */
export function pullBackRoute(route: RouteRadius, before: SoundBound): RouteRadius {
  expectSound('pullBackRoute', 'before', before);
  expectArgument('pullBackRoute', 'before.norm', before.norm === route.norm, `be '${route.norm}', as the route's`, before.norm);
  const radius = before.value === 0 ? (route.radius > 0 ? Infinity : 0) : roundDown(route.radius / before.value, 1);
  return { ...route, radius: Math.min(domainRadius(before.domain), radius), exact: false };
}
