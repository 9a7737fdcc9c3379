// Shapes: T tokens, E experts, K choices per token.
import { expectNumber } from '@moe/core';
import { div } from '@tensorflow/tfjs-core';
import { continuousDecision } from '../plans/continuous-plan.js';
import { gatedRouter } from '../plans/gated-router.js';
import { softTopK } from '../projections/soft-top-k.js';
import type { Router } from '../types.js';
import { type RouterOptions, resolveRouterOptions } from './router-options.js';

export interface SoftTopKRouterOptions extends RouterOptions {
  /** Experts per token when scores are far apart; more where they are close. @defaultValue 1 */
  readonly topK?: number;
  /** Distance of scores below which two experts share a token. @defaultValue 1 */
  readonly eps?: number;
}

/**
 * Weights by a relaxed top-K: exactly K experts with weight 1/K each where scores are apart, a continuous transition where they are close.
 *
 * @remarks
 * `w = softTopK(z, K, ε) / K`, see {@link softTopK}. Weights do not depend on how far the scores of chosen experts are apart, so the gradient reaches the
 * gate at the transitions only: small ε makes it rare. Reads the scores once.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2302.01425 | Sander et al. 2023}
 *
 * @example
 * const router = softTopKRouter({ numExperts: 8, topK: 2, gate: gapFc() });
 */
export function softTopKRouter(options: SoftTopKRouterOptions): Router {
  const { json, ...settings } = resolveRouterOptions('softTopKRouter', options, ['topK', 'eps'], 1);
  const { eps = 1 } = options;
  expectNumber('softTopKRouter', 'eps', eps, Number.MIN_VALUE);
  const facts = { ...settings, name: 'softTopKRouter', options: { ...json, eps }, batchInvariant: true, continuous: true, onHost: 'the threshold is found' };
  return gatedRouter(facts, ({ logits, open, context }) => {
    const choices = Math.min(settings.topK, open);
    return continuousDecision('softTopKRouter', { gates: div(softTopK(logits, choices, { eps }), choices) }, context);
  });
}
