import { expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import type { RouteStability } from '../moe/route-radius.js';
import { type Certificate, type Margins, marginBounds, marginRadii, smallest } from './certificate.js';

/** Options of {@link regionCertificate}. */
export interface RegionCertificateOptions extends Margins {
  /** For each MoE layer with jumps, the radius at the model's input within which its route stays, by {@link routeRadius}, {@link pullBackRoute} or {@link certifySmoothedRoutes}. */
  readonly routes: readonly RouteStability[];
}

/**
 * Certificate of a hard-routed model within the region of one route: `min(route radii, margins over their bounds on that route)`.
 *
 * @remarks
 * A model with jumps has no Lipschitz constant, but none occurs where no route changes. Margins and bounds are those of the path that the input takes, for instance `productBound` with
 * the expert fixed, or {@link softmaxMixtureBound} of the chosen experts. With a smoothed route, it is about the model that takes the smoothed route.
 *
 * @throws {@link ArgumentError} if a bound is not sound, or norms differ.
 *
 * @example
 * regionCertificate({ routes: [routeRadius(scores, layer)], margins: [0.7], bounds: [boundOfThisExpert] });
 */
export function regionCertificate(options: RegionCertificateOptions): Certificate {
  const caller = 'regionCertificate';
  expectKnownKeys(caller, options, ['routes', 'margins', 'bounds']);
  const { norm } = marginBounds(caller, options)[0]!;
  const { routes } = options;
  expectArgument(caller, 'routes', routes.length > 0, 'have at least one layer', routes.length, 'Use marginCertificate for a model without routing.');
  const radii = routes.map((route, l) => {
    expectArgument(caller, `routes[${l}].norm`, route.norm === norm, `be '${norm}', as that of the bounds`, route.norm);
    expectArgument(caller, `routes[${l}].radius`, route.radius >= 0, 'be a number ≥ 0', route.radius);
    expectNumber(caller, `routes[${l}].confidence`, route.confidence, 0, 1);
    return { radius: route.radius, reason: `route ${l} may change` };
  });
  // By the union bound, all radii hold at once with this chance.
  const doubt = routes.reduce((sum, { confidence }) => sum + (1 - confidence), 0);
  return smallest([...radii, ...marginRadii(caller, options)], norm, 'route-stable', Math.max(0, 1 - doubt));
}
