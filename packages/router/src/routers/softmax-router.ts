// Shapes: T tokens, E experts.
import { softmax } from '@tensorflow/tfjs-core';
import { balanceTotal } from '../losses/balance-option.js';
import { buildPlan, shutExperts } from '../plans/build-plan.js';
import { expectGateContext } from '../plans/expect-context.js';
import { topKMaskOnDevice } from '../plans/on-device.js';
import type { Router } from '../types.js';
import { type RouterOptions, resolveRouterOptions } from './router-options.js';

/**
 * Mixes all experts by a softmax: `y = Σₑ softmax(z)ₑ fₑ(x)`.
 *
 * @remarks
 * The classical mixture of experts. Every row runs through every expert, so it costs E of them; in return its weights are smooth in the input, which
 * is what a certificate needs. `topK` is E. Nothing is read from the device.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see Jacobs et al. 1991, "Adaptive Mixtures of Local Experts".
 *
 * @example
 * const router = softmaxRouter({ numExperts: 4, gate: gapFc() });
 */
export function softmaxRouter(options: RouterOptions): Router {
  const { numExperts, gate, balance, json } = resolveRouterOptions('softmaxRouter', options, [], options.numExperts);
  return {
    name: 'softmaxRouter',
    options: json,
    numExperts,
    topK: numExperts,
    batchInvariant: true,
    continuous: true,
    gradientPath: 'gate',
    init: (inputShape, rng) => gate.init(inputShape, numExperts, rng),
    route(weights, inputs, context) {
      expectGateContext('softmaxRouter', numExperts, context);
      return buildPlan(() => {
        const gateLogits = gate.logits(weights, inputs);
        const gates = softmax(shutExperts(gateLogits, context.allowed));
        const auxLoss = balanceTotal(balance, { gateLogits, gates, combineWeights: gates, firstChoice: topKMaskOnDevice(gates, 1) }, context);
        const everyAllowed = Array.from({ length: gates.size }, (_, i) => Number(context.allowed?.[i % numExperts] !== false));
        return { gateLogits, gates, combineWeights: gates, auxLoss, relaxable: false, ...(context.onDevice !== true && { chosen: everyAllowed }) };
      }, context);
    },
  };
}
