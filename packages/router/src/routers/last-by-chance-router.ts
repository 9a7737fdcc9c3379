// Shapes: T tokens, E experts, K choices per token.
import { softmax } from '@tensorflow/tfjs-core';
import { balanceTotal } from '../losses/balance-option.js';
import { buildPlan, shutExperts } from '../plans/build-plan.js';
import { expectGateContext, expectOnHost } from '../plans/expect-context.js';
import { expectRng, rowUniforms } from '../plans/noise.js';
import { chooseByToken, renormalised } from '../plans/token-choice.js';
import type { Router } from '../types.js';
import { type RouterSettings, unlimitedInEvaluation } from './router-options.js';

/**
 * Router of the K best experts by softmax, of which each token's last is kept in training with probability `min(1, g / threshold)`, g its share of
 * the chosen gates.
 */
export function lastByChanceRouter(name: string, { numExperts, gate, balance, topK, capacity }: RouterSettings, threshold: number, options: Router['options']): Router {
  return {
    name,
    options,
    numExperts,
    topK,
    batchInvariant: unlimitedInEvaluation(capacity),
    continuous: topK === numExperts && capacity === undefined,
    gradientPath: 'gate',
    init: (inputShape, rng) => gate.init(inputShape, numExperts, rng),
    route(weights, inputs, context) {
      expectOnHost(name, context, 'tokens choose');
      expectRng(name, context, topK > 1);
      const choices = Math.min(topK, expectGateContext(name, numExperts, context));
      return buildPlan(() => {
        const gateLogits = gate.logits(weights, inputs);
        const logits = shutExperts(gateLogits, context.allowed);
        const gates = softmax(logits);
        const thin = (wishes: Int32Array, values: ArrayLike<number>): Int32Array => {
          const draws = rowUniforms(context.rng!.stream('router/last'), wishes.length / choices);
          return thinLast(wishes, choices, values, numExperts, (share, token) => draws[token]! < share / threshold);
        };
        const chosen = chooseByToken({ caller: name, topK: choices, scores: gates, capacity, ...(context.training && choices > 1 && { thin }) }, context);
        const combineWeights = renormalised(logits, chosen);
        const auxLoss = balanceTotal(balance, { gateLogits, gates, combineWeights, firstChoice: chosen.first }, context);
        return { gateLogits, gates, combineWeights, chosen: chosen.chosen, wanted: chosen.wanted, auxLoss };
      }, context);
    },
  };
}

/** Drops each token's last choice unless `keeps` says otherwise of its share of the chosen gates. */
function thinLast(choices: Int32Array, topK: number, gates: ArrayLike<number>, numExperts: number, keeps: (share: number, token: number) => boolean): Int32Array {
  return choices.map((expert, i) => {
    const token = Math.floor(i / topK);
    if (i % topK !== topK - 1 || expert < 0) return expert;
    const chosen = Array.from(choices.subarray(token * topK, i + 1), (other) => gates[token * numExperts + other]!);
    return keeps(chosen.at(-1)! / chosen.reduce((total, gate) => total + gate, 0), token) ? expert : -1;
  });
}
