// Shapes: T tokens, D features, E experts, G clusters (experts of the layer before).
import { expectArgument, expectInteger, expectNumber, expectOneOf, expectShape } from '@moe/core';
import { type Tensor, type Tensor2D, abs, add, cast, div, matMul, maximum, mean, minimum, mul, ones, reshape, softmax, sub, sum, tensor, tidy, transpose, where } from '@tensorflow/tfjs-core';
import { detached } from '../internal/detached.js';
import { softmaxWhere } from '../plans/build-plan.js';
import { expectFiniteGates } from '../plans/expect-context.js';
import { gatedRouter } from '../plans/gated-router.js';
import { topKMaskOnDevice } from '../plans/on-device.js';
import type { RouteContext, Router, Weights } from '../types.js';
import { type RouterOptions, resolveRouterOptions } from './router-options.js';

export interface AcRouterOptions extends RouterOptions {
  /** Experts per token, at least 2. @defaultValue 2 */
  readonly topK?: number;
  /** Number of experts of the MoE layer before, G. @defaultValue numExperts */
  readonly clusters?: number;
  /** Added to a deviation before it is inverted. @defaultValue 1e-4 */
  readonly eps?: number;
  /** A feature's weight is at most this times the mean weight. @defaultValue 1.5 */
  readonly clamp?: number;
  /** `'running'`: statistics of training passes, averaged; `'batch'`: those of the batch at hand, in evaluation too, as in the released code. @defaultValue 'running' */
  readonly statistics?: 'running' | 'batch';
  /** Share of the old statistics that a training pass keeps, in [0, 1). @defaultValue 0.9 */
  readonly decay?: number;
}

/**
 * Adaptive clustering: features in which a token's cluster is tight count more when it chooses its experts.
 *
 * @remarks
 * The cluster k of a token is its first expert in the MoE layer before (`context.previous`). With the mean absolute deviation of each feature in each cluster,
 * `W_kd = min(1/(MAD_kd + eps), clamp · mean)`, divided by the mean; the gate sees `W_k ⊙ x`, and the K largest gates, over their sum, are the weights. No gradient flows
 * through W. Without `context.previous` (the first MoE layer) W is 1. The released code takes statistics of the batch even in evaluation, so that an example's result depends on
 * its neighbours: `statistics: 'batch'`. State: `deviation` `[G,D]`, in `plan.updates`.
 *
 * @returns A router; `init` and `route` are pure functions of its weights.
 * @throws {@link ArgumentError} if an option is out of range, or rows are not vectors.
 * @see {@link https://arxiv.org/abs/2502.15315 | Nielsen et al. 2025} (ACMoE)
 *
 * @example
 * const router = acRouter({ numExperts: 16, topK: 2, gate: cosineGate() });
 */
export function acRouter(options: AcRouterOptions): Router {
  const { json, ...settings } = resolveRouterOptions('acRouter', options, ['topK', 'clusters', 'eps', 'clamp', 'statistics', 'decay'], 2);
  const { numExperts, topK } = settings;
  const { clusters = numExperts, eps = 1e-4, clamp = 1.5, statistics = 'running', decay = 0.9 } = options;
  expectArgument('acRouter', 'topK', topK >= 2 || numExperts === 1, 'be at least 2', topK, 'A single renormalised gate is always 1, so the router would never learn from the task.');
  expectInteger('acRouter', 'clusters', clusters, 1);
  expectNumber('acRouter', 'eps', eps, Number.MIN_VALUE);
  expectNumber('acRouter', 'clamp', clamp, 1);
  expectOneOf('acRouter', 'statistics', statistics, ['running', 'batch']);
  expectArgument('acRouter', 'decay', decay >= 0 && decay < 1, 'be in [0, 1)', decay);

  /** Deviations to use now, `[G,D]`, and those to keep. */
  const deviations = (inputs: Tensor2D, members: Tensor2D, running: Tensor2D, { training }: RouteContext): { now: Tensor2D; updates?: Weights } => {
    const batch = deviationOf(inputs, members, running);
    if (statistics === 'batch') return { now: batch };
    return training ? { now: batch, updates: { deviation: add(mul(running, decay), mul(batch, 1 - decay)) } } : { now: running };
  };

  const own = {
    names: ['deviation'],
    init: (inputShape: readonly number[]) => {
      expectArgument('acRouter', 'inputShape', inputShape.length === 1, 'be [D], one vector a token', inputShape);
      return { deviation: { value: ones([clusters, inputShape[0]!]), trainable: false } };
    },
  };
  return gatedRouter(
    { ...settings, name: 'acRouter', options: { ...json, clusters, eps, clamp, statistics, decay }, batchInvariant: statistics === 'running', continuous: false, own },
    ({ logits, open, context }) => {
      const gates = softmax(logits);
      const mask = topKMaskOnDevice(gates, Math.min(topK, open));
      const decision = { gates, combineWeights: softmaxWhere(logits, mask) };
      if (context.onDevice === true) return decision;
      expectFiniteGates('acRouter', gates.dataSync(), numExperts);
      return { ...decision, chosen: mask.dataSync() };
    },
    {
      expect(inputs, { previous }, { deviation }) {
        const { T, D } = expectShape('acRouter', { inputs }, ['T', 'D']);
        if (previous !== undefined) expectShape('acRouter', { 'context.previous': previous }, [T, clusters]);
        expectShape('acRouter', { deviation: deviation! }, [clusters, D]);
      },
      seen(inputs, { deviation }, context) {
        if (context.previous === undefined) return { inputs };
        const members = membersOf(context.previous, context.mask);
        const { now, ...kept } = deviations(inputs as Tensor2D, members, deviation as Tensor2D, context);
        return { inputs: mul(inputs, detached(now, (mad) => matMul(members, featureWeights(mad as Tensor2D, eps, clamp)))), ...kept };
      },
    },
  );
}

/** One-hot of each token's first expert before, `[T,G]`; zeros for tokens that do not count. */
function membersOf(previous: Tensor2D, mask: RouteContext['mask']): Tensor2D {
  const first = topKMaskOnDevice(previous, 1);
  return mask === undefined ? first : (mul(first, tensor(mask.map(Number), [mask.length, 1])) as Tensor2D);
}

/** Mean absolute deviation of each feature in each cluster, `[G,D]`; clusters without a token keep what they had. */
function deviationOf(inputs: Tensor2D, members: Tensor2D, before: Tensor2D): Tensor2D {
  return detached(inputs, (x) => {
    const counts = sum(members, 0);
    const perCluster = (values: Tensor): Tensor => div(matMul(transpose(members), values as Tensor2D), maximum(column(counts), 1));
    const centres = matMul(members, perCluster(x) as Tensor2D);
    return where(cast(minimum(column(counts), 1), 'bool'), perCluster(abs(sub(x, centres))), before) as Tensor2D;
  });
}

const column = (x: Tensor): Tensor => reshape(x, [-1, 1]);

/** Inverse deviations, clamped and divided by their mean, `[G,D]`. */
function featureWeights(deviation: Tensor2D, eps: number, clamp: number): Tensor2D {
  return tidy(() => {
    const inverse = div(1, add(deviation, eps));
    const clamped = minimum(inverse, mul(mean(inverse, 1, true), clamp));
    return div(clamped, mean(clamped, 1, true)) as Tensor2D;
  });
}
