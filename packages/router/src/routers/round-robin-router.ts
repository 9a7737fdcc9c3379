// Shapes: T tokens, E experts, K choices per token.
import { expectKnownKeys } from '@moe/core';
import { type FixedMapOptions, fixedRouter, keysOf, resolveFixedMap } from '../plans/fixed-choice.js';
import type { Router } from '../types.js';

/** Options of {@link roundRobinRouter}. */
export type RoundRobinRouterOptions = FixedMapOptions;

/**
 * Rows take turns: perfectly even load, whatever the input; for measuring speed and as a baseline.
 *
 * @remarks
 * The row with key κ (the sum of its numbers) goes to experts κ, κ + 1, …, κ + K - 1 modulo E.
 *
 * @returns A router without weights.
 * @throws {@link ArgumentError} if an option is out of range.
 *
 * @example
 * const router = roundRobinRouter({ numExperts: 8, by: 'row' });
 */
export function roundRobinRouter(options: RoundRobinRouterOptions): Router {
  expectKnownKeys('roundRobinRouter', options, ['numExperts', 'topK', 'by']);
  const map = resolveFixedMap('roundRobinRouter', options);
  return fixedRouter('roundRobinRouter', map, { ...map }, (numTokens, context) => (open, topK) =>
    Int32Array.from(
      keysOf('roundRobinRouter', map.by, numTokens, context).flatMap((key) => {
        const first = key.reduce((total, number) => total + number, 0);
        return Array.from({ length: topK }, (_, choice) => open[(first + choice) % open.length]!);
      }),
    ),
  );
}
