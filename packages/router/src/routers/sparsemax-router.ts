// Shapes: T tokens, E experts.
import { sparsemax } from '../projections/sparsemax.js';
import { buildPlan, shutExperts } from '../plans/build-plan.js';
import { continuousDecision } from '../plans/continuous-plan.js';
import { expectGateContext } from '../plans/expect-context.js';
import type { Router } from '../types.js';
import { type RouterOptions, resolveRouterOptions } from './router-options.js';

/**
 * Weights by {@link sparsemax}: sparse like top-k and continuous like a softmax, which is what a certificate of a sparse mixture needs.
 *
 * @remarks
 * A token has as many experts as its scores are close, at least one and at most E; `topK` is E, the most. Scores grow or shrink the choice, so scale the
 * gate's weights to the sparsity wanted.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/1602.02068 | Martins and Astudillo 2016}
 *
 * @example
 * const router = sparsemaxRouter({ numExperts: 8, gate: gapFc() });
 */
export function sparsemaxRouter(options: RouterOptions): Router {
  const { numExperts, gate, balance, json } = resolveRouterOptions('sparsemaxRouter', options, [], options.numExperts);
  return {
    name: 'sparsemaxRouter',
    options: json,
    numExperts,
    topK: numExperts,
    batchInvariant: true,
    continuous: true,
    gradientPath: 'gate',
    init: (inputShape, rng) => gate.init(inputShape, numExperts, rng),
    route(weights, inputs, context) {
      expectGateContext('sparsemaxRouter', numExperts, context);
      return buildPlan(() => {
        const gateLogits = gate.logits(weights, inputs);
        const gates = sparsemax(shutExperts(gateLogits, context.allowed));
        return continuousDecision('sparsemaxRouter', { gateLogits, gates }, balance, context);
      }, context);
    },
  };
}
