// Shapes: T tokens, E experts.
import { topKIndices } from '@moe/core';
import { type Tensor2D, mul, sigmoid, softmax, tensor2d } from '@tensorflow/tfjs-core';
import { balanceTotal } from '../losses/balance-option.js';
import { buildPlan, shutExperts } from '../plans/build-plan.js';
import { onCountedPart } from '../plans/counted-part.js';
import { expectFiniteGates, expectGateContext, expectOnHost } from '../plans/expect-context.js';
import { topKMaskOnDevice } from '../plans/on-device.js';
import { balancedAssignment } from '../transport/balanced-assignment.js';
import type { Router } from '../types.js';
import { type RouterOptions, resolveRouterOptions } from './router-options.js';

/**
 * BASE: while training, the assignment of tokens to equally full experts with the largest sum of scores; in evaluation each token's best expert.
 *
 * @remarks
 * The weight is `σ(z)` of the chosen expert, through which the gate learns. The assignment is exact, on the host. In evaluation rows do not see each other.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2103.16716 | Lewis et al. 2021}
 *
 * @example
 * const router = baseRouter({ numExperts: 8, gate: gapFc({ bias: false }) });
 */
export function baseRouter(options: RouterOptions): Router {
  const { numExperts, gate, balance, json } = resolveRouterOptions('baseRouter', options, [], 1);
  return {
    name: 'baseRouter',
    options: json,
    numExperts,
    topK: 1,
    batchInvariant: true,
    continuous: false,
    gradientPath: 'gate',
    init: (inputShape, rng) => gate.init(inputShape, numExperts, rng),
    route(weights, inputs, context) {
      expectOnHost('baseRouter', context, 'the assignment is made');
      expectGateContext('baseRouter', numExperts, context);
      return buildPlan(() => {
        const gateLogits = gate.logits(weights, inputs);
        const scores = gateLogits.dataSync();
        expectFiniteGates('baseRouter', scores, numExperts);
        const chosen = onCountedPart(scores, numExperts, context, (part, experts) => {
          const choices = context.training ? balancedAssignment(part, experts) : topKIndices(part, experts, 1);
          const mask = new Float32Array(part.length);
          choices.forEach((expert, token) => (mask[token * experts + expert] = 1));
          return mask;
        });
        const gates = softmax(shutExperts(gateLogits, context.allowed));
        const combineWeights = mul(sigmoid(gateLogits), tensor2d(chosen, gateLogits.shape)) as Tensor2D;
        const auxLoss = balanceTotal(balance, { gateLogits, gates, combineWeights, firstChoice: topKMaskOnDevice(gates, 1) }, context);
        return { gateLogits, gates, combineWeights, chosen, auxLoss };
      }, context);
    },
  };
}
