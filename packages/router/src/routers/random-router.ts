// Shapes: T tokens, E experts, K choices per token.
import { createRng, expectInteger, expectKnownKeys } from '@moe/core';
import { drawExperts, fixedRouter, keysOf, resolveFixedMap } from '../plans/fixed-choice.js';
import { expectRng } from '../plans/noise.js';
import type { Router } from '../types.js';
import type { HashRouterOptions } from './hash-router.js';

/** Options of {@link randomRouter}. */
export type RandomRouterOptions = HashRouterOptions;

/**
 * Random experts: new ones in every training pass, a fixed map in evaluation.
 *
 * @remarks
 * Trains all experts on everything (stochastic experts); in evaluation it is {@link hashRouter} of the same seed, so results can be repeated.
 *
 * @returns A router without weights.
 * @throws {@link ArgumentError} if an option is out of range, or there is no rng in training.
 * @see {@link https://arxiv.org/abs/2110.04260 | Zuo et al. 2022} (THOR)
 *
 * @example
 * const router = randomRouter({ numExperts: 8, by: 'row' });
 */
export function randomRouter(options: RandomRouterOptions): Router {
  expectKnownKeys('randomRouter', options, ['numExperts', 'topK', 'by', 'seed']);
  const map = resolveFixedMap('randomRouter', options);
  const { seed = 0 } = options;
  expectInteger('randomRouter', 'seed', seed, 0);
  return fixedRouter('randomRouter', map, { ...map, seed }, (numTokens, context) => {
    expectRng('randomRouter', context, true);
    const rng = context.training ? context.rng!.stream('router/random') : createRng(seed).stream('router/hash');
    return (open, topK) => drawExperts(rng, keysOf('randomRouter', context.training ? 'row' : map.by, numTokens, context), open, topK);
  });
}
