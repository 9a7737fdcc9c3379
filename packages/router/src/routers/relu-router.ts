// Shapes: T tokens, E experts.
import { expectArgument, expectNumber } from '@moe/core';
import { type Scalar, type Tensor2D, add, cast, div, exp, greater, maximum, mul, relu, scalar, sign, sub, sum, tensor2d } from '@tensorflow/tfjs-core';
import { detached } from '../internal/detached.js';
import { maskedMean } from '../internal/masked.js';
import { continuousDecision } from '../plans/continuous-plan.js';
import { gatedRouter } from '../plans/gated-router.js';
import { maskTensor } from '../plans/noise.js';
import type { Router } from '../types.js';
import { type RouterOptions, resolveRouterOptions } from './router-options.js';

export interface ReluRouterOptions extends RouterOptions {
  /** Mean number of experts per token that the sparsity loss aims at. @defaultValue 1 */
  readonly topK?: number;
  /** First weight of the sparsity loss, > 0. @defaultValue 1e-8 */
  readonly sparsityWeight?: number;
  /** Factor by which a training pass raises or lowers it, > 1. @defaultValue 1.2 */
  readonly sparsityFactor?: number;
}

// Far below any sum of weights that float32 can tell from 0.
const TINY = 1e-30;

/**
 * ReLU routing: each expert whose score is above 0 takes part, with that score as its weight.
 *
 * @remarks
 * `w = max(z, 0)`: continuous everywhere, and a token may have any number of experts, or none. A loss `λ · mean_t Σₑ f_e w_te`, with `f_e = (E/K) ·` share of tokens that
 * use expert e (no gradient), makes it sparse and even; λ grows by a factor in each training pass that uses more than `topK` experts a token on
 * average, and shrinks otherwise: state, in `plan.updates.logSparsityWeight`. `topK` is that target, not a limit. The gates are `w` over its sum.
 *
 * @returns A router; `init` and `route` are pure functions of the weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2412.14711 | Wang et al. 2025} (ReMoE), eq. (5) to (9).
 *
 * @example
 * const router = reluRouter({ numExperts: 16, topK: 2, gate: gapFc() });
 */
export function reluRouter(options: ReluRouterOptions): Router {
  const { json, ...settings } = resolveRouterOptions('reluRouter', options, ['topK', 'sparsityWeight', 'sparsityFactor'], 1);
  const { numExperts, topK } = settings;
  const { sparsityWeight = 1e-8, sparsityFactor = 1.2 } = options;
  expectNumber('reluRouter', 'sparsityWeight', sparsityWeight, Number.MIN_VALUE);
  expectArgument('reluRouter', 'sparsityFactor', sparsityFactor > 1 && sparsityFactor < Infinity, 'be a number > 1', sparsityFactor);
  const own = { names: ['logSparsityWeight'], init: () => ({ logSparsityWeight: { value: scalar(Math.log(sparsityWeight)), trainable: false } }) };
  return gatedRouter(
    { ...settings, name: 'reluRouter', options: { ...json, sparsityWeight, sparsityFactor }, batchInvariant: true, continuous: true, own },
    ({ gateLogits, own: { logSparsityWeight }, context }) => {
      const positive = relu(gateLogits);
      const combineWeights = context.allowed === undefined ? positive : (mul(positive, tensor2d([context.allowed.map(Number)])) as Tensor2D);
      const gates = div(combineWeights, maximum(sum(combineWeights, 1, true), TINY)) as Tensor2D;
      const decision = continuousDecision('reluRouter', { gates, combineWeights }, context);
      if (!context.training) return decision;
      const { mask } = maskTensor(context);
      const used = maskedMean(detached(combineWeights, (w) => cast(greater(w, 0), 'float32')) as Tensor2D, mask);
      const sparsity = mul(sum(mul(maskedMean(combineWeights, mask), mul(used, numExperts / topK))), exp(logSparsityWeight!)) as Scalar;
      const logWeight = detached(used, (shares) => add(logSparsityWeight!, mul(sign(sub(sum(shares), topK)), Math.log(sparsityFactor))));
      return { ...decision, loss: sparsity, updates: { logSparsityWeight: logWeight } };
    },
  );
}
