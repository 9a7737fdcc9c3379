// Shapes: T tokens, E experts, K choices per token.
import { softmax } from '@tensorflow/tfjs-core';
import { gatedRouter } from '../plans/gated-router.js';
import { expectRng, rowUniforms } from '../plans/noise.js';
import { chooseByToken, renormalised, tokenChoiceFacts } from '../plans/token-choice.js';
import type { Router } from '../types.js';
import type { RouterSettings } from './router-options.js';

/**
 * Router of the K best experts by softmax, of which each token's last is kept in training with probability `min(1, g / threshold)`, g its share of
 * the chosen gates.
 */
export function lastByChanceRouter(name: string, settings: RouterSettings, threshold: number, options: Router['options']): Router {
  const { numExperts, topK, capacity } = settings;
  return gatedRouter(
    { ...settings, ...tokenChoiceFacts(settings), name, options },
    ({ logits, open, context }) => {
      const choices = Math.min(topK, open);
      const gates = softmax(logits);
      const thin = (wishes: Int32Array, values: ArrayLike<number>): Int32Array => {
        const draws = rowUniforms(context.rng!.stream('router/last'), wishes.length / choices);
        return thinLast(wishes, choices, values, numExperts, (share, token) => draws[token]! < share / threshold);
      };
      const choice = chooseByToken({ caller: name, topK: choices, scores: gates, capacity, ...(context.training && choices > 1 && { thin }) }, context);
      return { gates, combineWeights: renormalised(logits, choice), chosen: choice.chosen, wanted: choice.wanted, firstChoice: choice.first };
    },
    { expect: (_, context) => expectRng(name, context, topK > 1) },
  );
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
