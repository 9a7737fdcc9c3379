// Shapes: T tokens, E experts, K choices per token.
import { type Rng, expectArgument, expectNumber } from '@moe/core';
import { type Scalar, type Tensor2D, add, mul, softplus } from '@tensorflow/tfjs-core';
import { gapFc } from '../gates/gap-fc.js';
import { loadLoss } from '../losses/load-loss.js';
import { shutExperts, softmaxWhere } from '../plans/build-plan.js';
import { gatedRouter } from '../plans/gated-router.js';
import { expectRng, maskTensor, rowNoise } from '../plans/noise.js';
import { chooseByToken, tokenChoiceFacts } from '../plans/token-choice.js';
import type { Router } from '../types.js';
import { type TokenChoiceOptions, resolveRouterOptions } from './router-options.js';

export interface NoisyTopKRouterOptions extends TokenChoiceOptions {
  /** Experts per token, at least 2. @defaultValue 2 */
  readonly topK?: number;
  /** Weight of {@link loadLoss}, in training only. @defaultValue 0; Shazeer et al. use 0.1, with as much `importanceLoss` */
  readonly loadWeight?: number;
}

// Keeps the load loss defined where the learned noise dies.
const LEAST_STD = 1e-2;
const NOISE = 'noise/kernel';

/**
 * Noisy top-K gating: learned noise on the scores while training, the K largest of them, softmax over those K.
 *
 * @remarks
 * `H(x) = z(x) + ξ · (softplus(W_n x̄) + 0.01)`, `s = softmax(H restricted to its K largest)`; no noise in evaluation. The noise has a matrix `noise/kernel` `[C,E]` of its own,
 * which only `loadWeight` and the choice itself train. K = 1 is refused: its weight would always be 1, and the gate would not learn from the task. The
 * 0.01 is FastMoE's.
 *
 * @returns A router; `init` and `route` are pure functions of the weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/1701.06538 | Shazeer et al. 2017}, Sec. 2.1 and App. A.
 *
 * @example
 * const router = noisyTopKRouter({ numExperts: 16, topK: 2, gate: gapFc({ bias: false }), balance: { loss: 'importanceLoss', weight: 0.1 }, loadWeight: 0.1 });
 */
export function noisyTopKRouter(options: NoisyTopKRouterOptions): Router {
  const { json, ...settings } = resolveRouterOptions('noisyTopKRouter', options, ['topK', 'capacity', 'loadWeight'], 2);
  const { loadWeight = 0 } = options;
  const { numExperts, topK, capacity } = settings;
  expectNumber('noisyTopKRouter', 'loadWeight', loadWeight, 0);
  expectArgument('noisyTopKRouter', 'topK', topK >= 2 || numExperts === 1, 'be at least 2', topK, 'A softmax over one expert is always 1, so the router would never learn from the task.');
  const noiseGate = gapFc({ bias: false });
  const own = { names: [NOISE], init: (inputShape: readonly number[], rng: Rng) => ({ [NOISE]: noiseGate.init(inputShape, numExperts, rng.stream('noise'))['kernel']! }) };
  return gatedRouter(
    { ...settings, ...tokenChoiceFacts(settings), name: 'noisyTopKRouter', options: { ...json, loadWeight }, own },
    ({ gateLogits, open, inputs, own: { [NOISE]: kernel }, context }) => {
      const std = context.training ? (add(softplus(noiseGate.logits({ kernel: kernel! }, inputs)), LEAST_STD) as Tensor2D) : undefined;
      const noisyLogits = std === undefined ? gateLogits : (add(gateLogits, mul(rowNoise(context.rng!.stream('router/noise'), gateLogits.shape), std)) as Tensor2D);
      const scores = shutExperts(noisyLogits, context.allowed);
      const choices = Math.min(topK, open);
      const { wished, kept, first, chosen, wanted } = chooseByToken({ caller: 'noisyTopKRouter', topK: choices, scores, capacity }, context);
      // The gates of this router are sparse: importance counts what was really sent.
      const gates = softmaxWhere(scores, wished);
      const loss = std !== undefined && loadWeight > 0 ? (mul(loadLoss(gateLogits, noisyLogits, { topK: choices, std, ...maskTensor(context) }), loadWeight) as Scalar) : undefined;
      return { gates, combineWeights: mul(gates, kept), chosen, wanted, firstChoice: first, loss };
    },
    { expect: (_, context) => expectRng('noisyTopKRouter', context, true) },
  );
}
