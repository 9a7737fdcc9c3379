// Shapes: T tokens, E experts.
import { topKIndices } from '@moe/core';
import { mul, sigmoid, softmax, tensor2d } from '@tensorflow/tfjs-core';
import { onCountedPart } from '../plans/counted-part.js';
import { expectFiniteGates } from '../plans/expect-context.js';
import { gatedRouter } from '../plans/gated-router.js';
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
  const { json, ...settings } = resolveRouterOptions('baseRouter', options, [], 1);
  const facts = { ...settings, name: 'baseRouter', options: json, topK: 1, batchInvariant: true, continuous: false, onHost: 'the assignment is made' };
  return gatedRouter(facts, ({ gateLogits, logits, context }) => {
    const scores = gateLogits.dataSync();
    expectFiniteGates('baseRouter', scores, settings.numExperts);
    const chosen = onCountedPart(scores, settings.numExperts, context, (part, experts) => {
      const choices = context.training ? balancedAssignment(part, experts) : topKIndices(part, experts, 1);
      const mask = new Float32Array(part.length);
      choices.forEach((expert, token) => (mask[token * experts + expert] = 1));
      return mask;
    });
    return { gates: softmax(logits), combineWeights: mul(sigmoid(gateLogits), tensor2d(chosen, gateLogits.shape)), chosen };
  });
}
