// Shapes: T tokens, E experts.
import { continuousDecision } from '../plans/continuous-plan.js';
import { gatedRouter } from '../plans/gated-router.js';
import { sparsemax } from '../projections/sparsemax.js';
import type { Router } from '../types.js';
import { type RouterOptions, resolveRouterOptions } from './router-options.js';

/**
 * Weights by {@link sparsemax}: sparse like top-k and continuous like a softmax, which is what a certificate of a sparse mixture needs.
 *
 * @remarks
 * A token has as many experts as its scores are close, at least one and at most E; `topK` is E, the most. Scores grow or shrink the choice, so scale the
 * gate's weights to the sparsity wanted.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/1602.02068 | Martins and Astudillo 2016}
 *
 * @example
 * const router = sparsemaxRouter({ numExperts: 8, gate: gapFc() });
 */
export function sparsemaxRouter(options: RouterOptions): Router {
  const { json, ...settings } = resolveRouterOptions('sparsemaxRouter', options, [], options.numExperts);
  return gatedRouter({ ...settings, name: 'sparsemaxRouter', options: json, topK: settings.numExperts, batchInvariant: true, continuous: true }, ({ logits, context }) =>
    continuousDecision('sparsemaxRouter', { gates: sparsemax(logits) }, context),
  );
}
