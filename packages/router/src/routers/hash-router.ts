// Shapes: T tokens, E experts, K choices per token.
import { createRng, expectInteger, expectKnownKeys } from '@moe/core';
import { type FixedMapOptions, drawExperts, fixedRouter, keysOf, resolveFixedMap } from '../plans/fixed-choice.js';
import type { Router } from '../types.js';

export interface HashRouterOptions extends FixedMapOptions {
  /** Decides the map; integer ≥ 0. @defaultValue 0 */
  readonly seed?: number;
}

/**
 * A fixed random map from rows to experts: nothing to learn, and nothing that an attack on the input could move.
 *
 * @remarks
 * Row with key κ goes to K different experts drawn from `createRng(seed).at(κ)`. The baseline for any claim about routing.
 *
 * @returns A router without weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2106.04426 | Roller et al. 2021}
 *
 * @example
 * const router = hashRouter({ numExperts: 8, by: 'example' });
 */
export function hashRouter(options: HashRouterOptions): Router {
  expectKnownKeys('hashRouter', options, ['numExperts', 'topK', 'by', 'seed']);
  const map = resolveFixedMap('hashRouter', options);
  const { seed = 0 } = options;
  expectInteger('hashRouter', 'seed', seed, 0);
  return fixedRouter('hashRouter', map, { ...map, seed }, (numTokens, context) => (open, topK) => drawExperts(createRng(seed).stream('router/hash'), keysOf('hashRouter', map.by, numTokens, context), open, topK));
}
