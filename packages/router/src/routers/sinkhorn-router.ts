// Shapes: T tokens, E experts, K choices per token.
import { expectInteger, expectNumber, expectOneOf, topKIndices } from '@moe/core';
import { mul, sigmoid, softmax, tensor2d } from '@tensorflow/tfjs-core';
import { capacityOf } from '../capacity.js';
import { largestOfColumns } from '../internal/largest-of-columns.js';
import { onCountedPart } from '../plans/counted-part.js';
import { expectFiniteGates } from '../plans/expect-context.js';
import { gatedRouter } from '../plans/gated-router.js';
import { sinkhornPlan } from '../transport/sinkhorn-plan.js';
import type { Router } from '../types.js';
import { type RouterOptions, resolveRouterOptions } from './router-options.js';

export interface SinkhornRouterOptions extends RouterOptions {
  /** Experts per token, or with `choice: 'expert'` the capacity factor. @defaultValue 1 */
  readonly topK?: number;
  /** Who chooses by the plan: tokens their K experts, or experts their `⌈T·K/E⌉` tokens. @defaultValue 'token' */
  readonly choice?: 'token' | 'expert';
  /** Weight of a chosen expert: its softmax over all experts, or the sigmoid of its score, as S-BASE has it. @defaultValue 'softmax' */
  readonly weights?: 'softmax' | 'sigmoid';
  /** @defaultValue 20 */
  readonly iterations?: number;
  /** Strength of the entropy, ε > 0; small ε chooses like an exact assignment. @defaultValue 1 */
  readonly eps?: number;
}

/**
 * Chooses by a balanced transport plan of the scores: scores of popular experts are lowered until all experts have the same mass.
 *
 * @remarks
 * `P = sinkhornPlan(z)`; with `choice: 'token'` each token takes its K largest entries. Weights come from the scores, not from P, and carry the gradient. The plan is over
 * the whole batch, in evaluation too, so a row's experts depend on the others. Tokens that do not count and experts that are not allowed have no part in it.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2202.01169 | Clark et al. 2022} (S-BASE); {@link https://arxiv.org/abs/2401.15969 | Liu et al. 2024}
 *
 * @example
 * const router = sinkhornRouter({ numExperts: 8, gate: gapFc({ bias: false }), weights: 'sigmoid' });
 */
export function sinkhornRouter(options: SinkhornRouterOptions): Router {
  const { json, ...settings } = resolveRouterOptions('sinkhornRouter', options, ['topK', 'choice', 'weights', 'iterations', 'eps'], 1);
  const { choice = 'token', weights: kind = 'softmax', iterations = 20, eps = 1 } = options;
  const { numExperts, topK } = settings;
  expectOneOf('sinkhornRouter', 'choice', choice, ['token', 'expert']);
  expectOneOf('sinkhornRouter', 'weights', kind, ['softmax', 'sigmoid']);
  expectInteger('sinkhornRouter', 'iterations', iterations, 1);
  expectNumber('sinkhornRouter', 'eps', eps, Number.MIN_VALUE);
  const facts = { ...settings, name: 'sinkhornRouter', options: { ...json, choice, weights: kind, iterations, eps }, batchInvariant: false, continuous: false, onHost: 'the plan is made' };
  return gatedRouter(facts, ({ gateLogits, logits, context }) => {
    const scores = gateLogits.dataSync();
    expectFiniteGates('sinkhornRouter', scores, numExperts);
    const chosen = onCountedPart(scores, numExperts, context, (part, experts) => {
      const plan = sinkhornPlan(part, experts, { iterations, eps });
      const tokens = part.length / experts;
      if (choice === 'expert') return largestOfColumns(plan, experts, { groupSize: tokens, count: Math.min(tokens, capacityOf(tokens * topK, experts, { factor: 1 })) });
      const mask = new Float32Array(plan.length);
      topKIndices(plan, experts, Math.min(topK, experts)).forEach((expert, i) => (mask[Math.floor(i / Math.min(topK, experts)) * experts + expert] = 1));
      return mask;
    });
    const gates = softmax(logits);
    return { gates, combineWeights: mul(kind === 'softmax' ? gates : sigmoid(logits), tensor2d(chosen, gateLogits.shape)), chosen };
  });
}
