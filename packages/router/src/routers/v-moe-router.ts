// Shapes: T tokens, E experts, K choices per token.
import { expectNumber } from '@moe/core';
import { type Scalar, type Tensor2D, add, mul, softmax } from '@tensorflow/tfjs-core';
import { loadLoss } from '../losses/load-loss.js';
import { shutExperts } from '../plans/build-plan.js';
import { gatedRouter } from '../plans/gated-router.js';
import { expectRng, maskTensor, rowNoise } from '../plans/noise.js';
import { chooseByToken, tokenChoiceFacts } from '../plans/token-choice.js';
import type { Router } from '../types.js';
import { type TokenChoiceOptions, resolveRouterOptions } from './router-options.js';

export interface VMoeRouterOptions extends TokenChoiceOptions {
  /** Experts per token. @defaultValue 1; V-MoE's models use 2 */
  readonly topK?: number;
  /** Noise while training has this standard deviation over E. @defaultValue 1 */
  readonly noiseStd?: number;
  /** Weight of {@link loadLoss}, which needs noise and is part of training only. @defaultValue 0; the fine-tuned V-MoE models use 0.005, with as much `importanceLoss` */
  readonly loadWeight?: number;
}

/**
 * V-MoE's router: noise on the scores while training, softmax over all experts, then the K largest gates, used as they are.
 *
 * @remarks
 * `s = softmax(z + ξ σ/E)` with ξ ~ N(0, 1) in training and none in evaluation; the weight of a chosen expert is s itself, so the weights of a row sum to
 * less than 1. Tokens over capacity lose the expert and keep their other weights. Balance losses see the gates without noise, as in the
 * source; `firstChoice` is that of the noisy gates. With two experts the source drops the load loss, which can lose its slope there, for
 * `switchLoss` with weight 0.01.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights. V-MoE's own gate is `gapFc({ bias: false })`.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2106.05974 | Riquelme et al. 2021}; {@link https://arxiv.org/abs/2210.10253 | Puigcerver et al. 2022} attack it.
 *
 * @example
 * const router = vMoeRouter({ numExperts: 32, topK: 2, gate: gapFc({ bias: false }), balance: { loss: 'importanceLoss', weight: 0.005 }, loadWeight: 0.005 });
 */
export function vMoeRouter(options: VMoeRouterOptions): Router {
  const { json, ...settings } = resolveRouterOptions('vMoeRouter', options, ['topK', 'capacity', 'noiseStd', 'loadWeight'], 1);
  const { noiseStd = 1, loadWeight = 0 } = options;
  const { numExperts, topK, capacity } = settings;
  expectNumber('vMoeRouter', 'noiseStd', noiseStd, 0);
  expectNumber('vMoeRouter', 'loadWeight', loadWeight, 0);
  const std = noiseStd / numExperts;
  return gatedRouter(
    { ...settings, ...tokenChoiceFacts(settings), name: 'vMoeRouter', options: { ...json, noiseStd, loadWeight } },
    ({ gateLogits, logits, open, context }) => {
      const noisy = context.training && std > 0;
      const noisyLogits = noisy ? (add(gateLogits, mul(rowNoise(context.rng!.stream('router/noise'), gateLogits.shape), std)) as Tensor2D) : gateLogits;
      const gates = softmax(shutExperts(noisyLogits, context.allowed));
      const choices = Math.min(topK, open);
      const { kept, first, chosen, wanted } = chooseByToken({ caller: 'vMoeRouter', topK: choices, scores: gates, capacity }, context);
      const loss = noisy && loadWeight > 0 ? (mul(loadLoss(gateLogits, noisyLogits, { topK: choices, std, ...maskTensor(context) }), loadWeight) as Scalar) : undefined;
      return { gates, combineWeights: mul(gates, kept), chosen, wanted, firstChoice: first, balanced: noisy ? softmax(logits) : gates, loss };
    },
    { expect: (_, context) => expectRng('vMoeRouter', context, noiseStd > 0) },
  );
}
