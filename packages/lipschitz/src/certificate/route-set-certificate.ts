import { expectArgument, expectKnownKeys } from '@moe/core';
import { largestRadius } from '../internal/largest-radius.js';
import { reachableRoutes } from '../moe/reachable-routes.js';
import { routeRadius } from '../moe/route-radius.js';
import type { RoutedLayer } from '../moe/routed-layer.js';
import type { RouterScores } from '../moe/router-scores.js';
import { type Certificate, type Margins, marginBounds, marginRadius } from './certificate.js';

/** Options of {@link routeSetCertificate}. */
export interface RouteSetCertificateOptions {
  readonly scores: RouterScores;
  readonly layer: RoutedLayer;
  /** Margins at the input and their bounds with these experts forced; asked once a route. The predicted class is that of the gated model. */
  readonly onRoute: (experts: readonly number[]) => Margins;
  /** Routes at which the search gives up. @defaultValue 256 */
  readonly maxRoutes?: number;
}

/** Result of {@link routeSetCertificate}. */
export interface RouteSetCertificate extends Certificate {
  /** Routes that were looked at within the radius. */
  readonly routes: readonly (readonly number[])[];
}

/**
 * Certificate across routing boundaries: on the whole ball, every route that the router may take there keeps the class.
 *
 * @remarks
 * Each route, forced, is a continuous model of its own, whose margins last for margin over bound. The radius is the largest, to 12 digits, within which all reachable routes last. Never
 * below {@link regionCertificate}'s of the same bounds but for those digits, and above it where experts agree about the class.
 *
 * @returns `'route-stable'` if the route stays, `'route-crossing'` if it may change, `'vacuous'` or, with more routes than `maxRoutes`, `'unknown'` if nothing is certified.
 * @throws {@link ArgumentError} if the layer's routing depends on the batch, or a bound is not sound.
 *
 * @example
 * routeSetCertificate({ scores, layer, onRoute: ([expert]) => ({ margins: marginsOf[expert], bounds: boundsOf[expert] }) });
 */
export function routeSetCertificate(options: RouteSetCertificateOptions): RouteSetCertificate {
  const caller = 'routeSetCertificate';
  expectKnownKeys(caller, options, ['scores', 'layer', 'onRoute', 'maxRoutes']);
  const { scores, layer, onRoute, maxRoutes = 256 } = options;
  const kept = new Map<string, number>();
  const radiusOn = (experts: readonly number[]): number => {
    const key = experts.join();
    const known = kept.get(key);
    if (known !== undefined) return known;
    const margins = onRoute(experts);
    const bounds = marginBounds(caller, margins);
    expectArgument(caller, 'bounds', bounds[0]!.norm === scores.norm, `be in '${scores.norm}', as the scores`, bounds[0]!.norm);
    const radius = Math.min(...bounds.map((bound, b) => marginRadius(margins.margins[b]!, bound)));
    kept.set(key, radius);
    return radius;
  };
  const proved = (radius: number): boolean => {
    const { routes, complete } = reachableRoutes(scores, layer, radius, maxRoutes);
    return complete && routes.every((route) => radiusOn(route) >= radius);
  };

  const { chosen, radius: stable } = routeRadius(scores, layer);
  const own = radiusOn(chosen);
  const sure = Math.min(stable, own);
  // The ball beyond which the route taken at the input no longer lasts.
  const limit = Math.min(own, scores.limit);
  const found = limit <= sure ? sure : Math.max(sure, largestRadius(proved, limit, sure > 0 ? 2 * sure : Math.min(limit, 1)));
  const { routes } = reachableRoutes(scores, layer, found, maxRoutes);
  const beyond = reachableRoutes(scores, layer, Math.min(scores.limit, found * (1 + 1e-9) + Number.MIN_VALUE), maxRoutes);
  const weakest = beyond.routes.reduce((worst, route) => (radiusOn(route) < radiusOn(worst) ? route : worst), chosen);
  const reasons = [beyond.complete ? `experts ${weakest.join(', ')} keep the class up to ${radiusOn(weakest)}` : `more than ${maxRoutes} routes are reachable`];
  const nothing = beyond.complete ? 'vacuous' : 'unknown';
  return { norm: scores.norm, confidence: 1, radius: found, status: found === 0 ? nothing : found > stable ? 'route-crossing' : 'route-stable', reasons, routes };
}
