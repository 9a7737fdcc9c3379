import { expectArgument } from '@moe/core';
import { type NamedConfig, type Router, routerFromConfig } from '@moe/router';
import { registeredParts } from '../layers/registry.js';

/** What a router is to have instead. */
export interface RouterChange {
  readonly numExperts?: number;
  readonly topK?: number;
}

/**
 * The same router with another number of experts or choices.
 *
 * @throws {@link ArgumentError} if the router has no such option, or does not allow the value; or if it is the caller's own and was not registered.
 */
export function routerWith(caller: string, router: Router, { numExperts = router.numExperts, topK }: RouterChange): Router {
  const { name, options } = router;
  const gate = options['gate'] as NamedConfig | undefined;
  const k = topK ?? Math.min(router.topK, numExperts);
  const hasK = 'topK' in options;
  expectArgument(caller, 'topK', topK === undefined || hasK || topK === router.topK, `be ${router.topK}, because ${name} has no such option`, topK);
  return routerFromConfig({
    name,
    options: {
      ...options,
      numExperts,
      ...(hasK && { topK: k }),
      // One choice has weight 1 and needs the straight-through gradient; several carry their own.
      ...('straightThrough' in options && hasK && k !== options['topK'] && { straightThrough: k === 1 && (options['straightThrough'] === true || options['normalise'] !== 'none') }),
      ...(gate !== undefined && 'numExperts' in gate.options && { gate: { ...gate, options: { ...gate.options, numExperts } } }),
    },
  }, registeredParts());
}
