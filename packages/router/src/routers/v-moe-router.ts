// Shapes: T tokens, E experts, K choices per token.
import { expectNumber } from '@moe/core';
import { type Tensor2D, add, mul, softmax } from '@tensorflow/tfjs-core';
import { balanceTotal } from '../losses/balance-option.js';
import { loadLoss } from '../losses/load-loss.js';
import { buildPlan, shutExperts } from '../plans/build-plan.js';
import { expectGateContext, expectOnHost } from '../plans/expect-context.js';
import { maskTensor, expectRng, rowNoise } from '../plans/noise.js';
import { chooseByToken } from '../plans/token-choice.js';
import type { Router } from '../types.js';
import { type TokenChoiceOptions, resolveRouterOptions, unlimitedInEvaluation } from './router-options.js';

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
  const settings = resolveRouterOptions('vMoeRouter', options, ['topK', 'capacity', 'noiseStd', 'loadWeight'], 1);
  const { noiseStd = 1, loadWeight = 0 } = options;
  const { numExperts, gate, balance, topK, capacity } = settings;
  expectNumber('vMoeRouter', 'noiseStd', noiseStd, 0);
  expectNumber('vMoeRouter', 'loadWeight', loadWeight, 0);
  return {
    name: 'vMoeRouter',
    options: { ...settings.json, noiseStd, loadWeight },
    numExperts,
    topK,
    batchInvariant: unlimitedInEvaluation(capacity),
    continuous: topK === numExperts && capacity === undefined,
    gradientPath: 'gate',
    init: (inputShape, rng) => gate.init(inputShape, numExperts, rng),
    route(weights, inputs, context) {
      expectOnHost('vMoeRouter', context, 'tokens choose');
      expectRng('vMoeRouter', context, noiseStd > 0);
      const choices = Math.min(topK, expectGateContext('vMoeRouter', numExperts, context));
      return buildPlan(() => {
        const gateLogits = gate.logits(weights, inputs);
        const std = noiseStd / numExperts;
        const noisy = context.training && std > 0;
        const noisyLogits = noisy ? (add(gateLogits, mul(rowNoise(context.rng!.stream('router/noise'), gateLogits.shape), std)) as Tensor2D) : gateLogits;
        const gates = softmax(shutExperts(noisyLogits, context.allowed));
        const chosen = chooseByToken({ caller: 'vMoeRouter', topK: choices, scores: gates, capacity }, context);
        const combineWeights = mul(gates, chosen.kept) as Tensor2D;
        const clean = noisy ? softmax(shutExperts(gateLogits, context.allowed)) : gates;
        const balanced = balanceTotal(balance, { gateLogits, gates: clean, combineWeights, firstChoice: chosen.first }, context);
        const load = noisy && loadWeight > 0 ? mul(loadLoss(gateLogits, noisyLogits, { topK: choices, std, ...maskTensor(context) }), loadWeight) : undefined;
        return { gateLogits, gates, combineWeights, chosen: chosen.chosen, wanted: chosen.wanted, auxLoss: load === undefined ? balanced : add(balanced, load) };
      }, context);
    },
  };
}
