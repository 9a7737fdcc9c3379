// Shapes: T tokens, E experts, K choices per token.
import { expectArgument, expectNumber } from '@moe/core';
import { type Tensor1D, type Tensor2D, add, div, maximum, mean, mul, sigmoid, sign, sub, sum, zeros } from '@tensorflow/tfjs-core';
import { maskedMean } from '../internal/masked.js';
import { shutExperts } from '../plans/build-plan.js';
import { gatedRouter } from '../plans/gated-router.js';
import { maskTensor } from '../plans/noise.js';
import { chooseByToken, tokenChoiceFacts } from '../plans/token-choice.js';
import type { Router } from '../types.js';
import { type TokenChoiceOptions, resolveRouterOptions } from './router-options.js';

export interface SigmoidRouterOptions extends TokenChoiceOptions {
  /** Experts per token. @defaultValue 2 */
  readonly topK?: number;
  /** How far each training pass moves the load bias of an expert. @defaultValue 0.001 */
  readonly biasStep?: number;
  /** Whether the chosen affinities are divided by their sum; not for K = 1. @defaultValue `topK > 1` */
  readonly normalise?: boolean;
}

// Far below any sum of affinities that float32 can tell from 0.
const TINY = 1e-30;

/**
 * Sigmoid affinities balanced without a loss: a bias per expert, moved by its load, takes part in the choice and not in the weights.
 *
 * @remarks
 * `s = σ(z)`; the K largest `s_e + b_e` are chosen, with weights `s_e / Σ s` over them. After a training pass `b_e` grows by `biasStep` where expert e had
 * less than the mean load and shrinks by as much where it had more: state, in `plan.updates.loadBias`. The gates that losses see are `s` over
 * its sum over all experts.
 *
 * @returns A router; `init` and `route` are pure functions of the weights.
 * @throws {@link ArgumentError} if an option is out of range, or the gate could never receive a gradient.
 * @see {@link https://arxiv.org/abs/2408.15664 | Wang et al. 2024}, auxiliary-loss-free load balancing; {@link https://arxiv.org/abs/2412.19437 | DeepSeek-V3}.
 *
 * @example
 * const router = sigmoidRouter({ numExperts: 16, topK: 2, gate: gapFc({ bias: false }) });
 */
export function sigmoidRouter(options: SigmoidRouterOptions): Router {
  const { json, ...settings } = resolveRouterOptions('sigmoidRouter', options, ['topK', 'capacity', 'biasStep', 'normalise'], 2);
  const { numExperts, topK, capacity } = settings;
  const { biasStep = 0.001, normalise = topK > 1 } = options;
  expectNumber('sigmoidRouter', 'biasStep', biasStep, 0);
  expectArgument('sigmoidRouter', 'normalise', !normalise || topK > 1, 'be false for topK = 1', normalise, 'A single normalised affinity is always 1, so the router would never learn from the task.');
  const own = { names: ['loadBias'], init: () => ({ loadBias: { value: zeros([numExperts]), trainable: false } }) };
  return gatedRouter(
    { ...settings, ...tokenChoiceFacts(settings), name: 'sigmoidRouter', options: { ...json, biasStep, normalise }, own },
    ({ logits, open, own: { loadBias }, context }) => {
      const affinity = sigmoid(logits) as Tensor2D;
      const biased = shutExperts(add(affinity, loadBias!) as Tensor2D, context.allowed);
      const { wished, kept, first, chosen, wanted } = chooseByToken({ caller: 'sigmoidRouter', topK: Math.min(topK, open), scores: biased, capacity }, context);
      const affinities = mul(affinity, wished) as Tensor2D;
      const combineWeights = mul(normalise ? share(affinities) : affinities, kept) as Tensor2D;
      const moves = context.training && biasStep > 0;
      const updates = moves ? { loadBias: movedBias(loadBias as Tensor1D, wished, biasStep, maskTensor(context).mask) } : undefined;
      return { gates: share(affinity), combineWeights, chosen, wanted, firstChoice: first, ...(updates !== undefined && { updates }) };
    },
  );
}

/** Entries over their row's sum; zeros where all are 0. */
const share = (x: Tensor2D): Tensor2D => div(x, maximum(sum(x, 1, true), TINY));

/** The bias after a pass: up for experts below the mean load, down for those above it. */
function movedBias(bias: Tensor1D, wished: Tensor2D, step: number, mask: Tensor1D | undefined): Tensor1D {
  const load = maskedMean(wished, mask);
  return add(bias, mul(sign(sub(mean(load), load)), step));
}
