// Shapes: T tokens, E experts.
import { softmax } from '@tensorflow/tfjs-core';
import { gatedRouter } from '../plans/gated-router.js';
import type { Router } from '../types.js';
import { type RouterOptions, resolveRouterOptions } from './router-options.js';

/**
 * Mixes all experts by a softmax: `y = Σₑ softmax(z)ₑ fₑ(x)`.
 *
 * @remarks
 * The classical mixture of experts. Every row runs through every expert, so it costs E of them; in return its weights are smooth in the input, which
 * is what a certificate needs. `topK` is E. Nothing is read from the device.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see Jacobs et al. 1991, "Adaptive Mixtures of Local Experts".
 *
 * @example
 * const router = softmaxRouter({ numExperts: 4, gate: gapFc() });
 */
export function softmaxRouter(options: RouterOptions): Router {
  const { json, ...settings } = resolveRouterOptions('softmaxRouter', options, [], options.numExperts);
  return gatedRouter({ ...settings, name: 'softmaxRouter', options: json, topK: settings.numExperts, batchInvariant: true, continuous: true }, ({ logits, context: { allowed, onDevice } }) => {
    const gates = softmax(logits);
    const everyAllowed = Array.from({ length: gates.size }, (_, i) => Number(allowed?.[i % settings.numExperts] !== false));
    return { gates, combineWeights: gates, relaxable: false, ...(onDevice !== true && { chosen: everyAllowed }) };
  });
}
