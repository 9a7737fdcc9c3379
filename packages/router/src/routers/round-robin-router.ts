// Shapes: T tokens, E experts, K choices per token.
import { expectKnownKeys } from '@moe/core';
import { type FixedMapOptions, fixedPlan, keysOf, resolveFixedMap } from '../plans/fixed-choice.js';
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
  return {
    name: 'roundRobinRouter',
    options: { ...map },
    numExperts: map.numExperts,
    topK: map.topK,
    batchInvariant: map.by !== 'row',
    continuous: true,
    gradientPath: 'none',
    init: () => ({}),
    route(_, inputs, context) {
      const turn = (open: readonly number[], topK: number): Int32Array =>
        Int32Array.from(
          keysOf('roundRobinRouter', map.by, inputs.shape[0]!, context).flatMap((key) => {
            const first = key.reduce((total, number) => total + number, 0);
            return Array.from({ length: topK }, (_unused, choice) => open[(first + choice) % open.length]!);
          }),
        );
      return fixedPlan('roundRobinRouter', map, turn, context);
    },
  };
}
