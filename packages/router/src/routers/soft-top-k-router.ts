// Shapes: T tokens, E experts, K choices per token.
import { expectNumber } from '@moe/core';
import { type Tensor2D, div } from '@tensorflow/tfjs-core';
import { buildPlan, shutExperts } from '../plans/build-plan.js';
import { continuousDecision } from '../plans/continuous-plan.js';
import { expectGateContext, expectOnHost } from '../plans/expect-context.js';
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
  const { numExperts, gate, balance, topK, json } = resolveRouterOptions('softTopKRouter', options, ['topK', 'eps'], 1);
  const { eps = 1 } = options;
  expectNumber('softTopKRouter', 'eps', eps, Number.MIN_VALUE);
  return {
    name: 'softTopKRouter',
    options: { ...json, eps },
    numExperts,
    topK,
    batchInvariant: true,
    continuous: true,
    gradientPath: 'gate',
    init: (inputShape, rng) => gate.init(inputShape, numExperts, rng),
    route(weights, inputs, context) {
      expectOnHost('softTopKRouter', context, 'the threshold is found');
      const choices = Math.min(topK, expectGateContext('softTopKRouter', numExperts, context));
      return buildPlan(() => {
        const gateLogits = gate.logits(weights, inputs);
        const gates = div(softTopK(shutExperts(gateLogits, context.allowed), choices, { eps }), choices) as Tensor2D;
        return continuousDecision('softTopKRouter', { gateLogits, gates }, balance, context);
      }, context);
    },
  };
}
