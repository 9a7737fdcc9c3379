// Shapes: T tokens, E experts, C rows of an expert.
import { expectInteger, expectNumber } from '@moe/core';
import { mul, softmax, tensor2d } from '@tensorflow/tfjs-core';
import { capacityOf } from '../capacity.js';
import { onCountedPart } from '../plans/counted-part.js';
import { expectFiniteGates } from '../plans/expect-context.js';
import { gatedRouter } from '../plans/gated-router.js';
import { sparsePlan } from '../transport/sparse-plan.js';
import type { Router } from '../types.js';
import { type RouterOptions, resolveRouterOptions } from './router-options.js';

export interface SparseTransportRouterOptions extends RouterOptions {
  /** Rows that an expert takes at most, as a multiple of its even share T/E. @defaultValue 1 */
  readonly capacityFactor?: number;
  /** Weight of the squared entries of the plan, γ > 0. @defaultValue 1 */
  readonly gamma?: number;
  /** Steps of the dual ascent. @defaultValue 20 */
  readonly iterations?: number;
}

/**
 * Chooses by a transport plan of the gates in which each expert uses at most its capacity of rows.
 *
 * @remarks
 * `s = softmax(z)`; a row runs where {@link sparsePlan} of s is above 0, with weight `s_te`, through which the gradient flows. After the source's 20 steps the rows of the plan are far
 * from their marginals, so a row may have no expert, or several; `topK` is the capacity factor, rounded up. The plan is over the whole batch, in evaluation too.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2209.15466 | Liu et al. 2023}
 *
 * @example
 * const router = sparseTransportRouter({ numExperts: 8, gate: gapFc({ bias: false }), capacityFactor: 1.25 });
 */
export function sparseTransportRouter(options: SparseTransportRouterOptions): Router {
  const { json, ...settings } = resolveRouterOptions('sparseTransportRouter', options, ['capacityFactor', 'gamma', 'iterations'], 1);
  const { capacityFactor = 1, gamma = 1, iterations = 20 } = options;
  const { numExperts } = settings;
  expectNumber('sparseTransportRouter', 'capacityFactor', capacityFactor, Number.MIN_VALUE, numExperts);
  expectNumber('sparseTransportRouter', 'gamma', gamma, Number.MIN_VALUE);
  expectInteger('sparseTransportRouter', 'iterations', iterations, 1);
  const facts = { ...settings, name: 'sparseTransportRouter', options: { ...json, capacityFactor, gamma, iterations }, topK: Math.ceil(capacityFactor), batchInvariant: false, continuous: false, onHost: 'the plan is made' };
  return gatedRouter(facts, ({ logits, context }) => {
    const gates = softmax(logits);
    const values = gates.dataSync();
    expectFiniteGates('sparseTransportRouter', values, numExperts);
    const chosen = onCountedPart(values, numExperts, context, (part, experts) => {
      const tokens = part.length / experts;
      const perColumn = Math.min(tokens, capacityOf(tokens, experts, { factor: capacityFactor }));
      return sparsePlan(part, experts, { perColumn, gamma, iterations }).plan.map((share) => Number(share > 0));
    });
    return { gates, combineWeights: mul(gates, tensor2d(chosen, logits.shape)), chosen };
  });
}
