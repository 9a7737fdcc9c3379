// Shapes: T tokens (rows), E experts, K choices per row.
import { straightThrough } from '@moe/core';
import { type Tensor2D, add, div, mul, softmax, sum } from '@tensorflow/tfjs-core';
import { chooseExperts } from '../internal/choose-experts.js';
import { maskOfChoices } from '../losses/balance-option.js';
import { softmaxWhere } from '../plans/build-plan.js';
import { expectFiniteGates } from '../plans/expect-context.js';
import { gatedRouter } from '../plans/gated-router.js';
import { topKMaskOnDevice } from '../plans/on-device.js';
import type { Router } from '../types.js';
import { type TopKRouterOptions, type TopKSettings, expectContext, resolveTopKOptions } from './top-k-options.js';

// What the released code adds to the sum of the chosen gates.
const RELEASED_GUARD = 1e-5;

/**
 * Sends each row to the K experts of highest gate: softmax over all experts, then top-k.
 *
 * @remarks
 * K = 1: the chosen expert's weight is exactly 1, and the gradient ⟨∂L/∂y, f(x)⟩ reaches its gate by a straight-through estimator. K > 1: the
 * chosen gates are renormalised. While training, selection (never the weights) can be disturbed by noise and limited by capacity; in
 * evaluation it is the plain top-k, ties to the lowest index, so a row's result depends on that row alone.
 *
 * The balance loss sees the clean gates, and as assignment the one-hot of each row's largest gate, in training and evaluation.
 * With `context.gate = { temperature }` the values stay hard while the gradient is that of `softmax(logits / temperature)` over all experts;
 * the plan then sends every row through every allowed expert.
 *
 * Differs from the released code of *Robust Experts*: weights sum to 1 exactly, see {@link TopKRouterOptions.normalise}; noise is off
 * unless asked for; NaN gates throw instead of turning to 0.
 *
 * @param options - see {@link TopKRouterOptions}.
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range, or the gate could never receive a gradient. `route` throws
 * {@link ArgumentError} on an impossible context and {@link NumericsError} on gates that are not finite.
 * @see {@link https://arxiv.org/abs/2509.05086 | Pavlitska et al. 2025}
 *
 * @example
 * const router = topKRouter({ numExperts: 4, topK: 1, gate: gapFc(), balance: { loss: 'entropyLoss', weight: 0.5 } });
 */
export function topKRouter(options: TopKRouterOptions): Router {
  const settings = resolveTopKOptions(options);
  const { numExperts, topK, gate, balance, noiseStd, capacityFactor, straightThrough: unit } = settings;
  return gatedRouter(
    { name: 'topKRouter', options: settings.json, numExperts, topK, gate, balance, batchInvariant: true, continuous: topK === numExperts, gradientPath: unit ? 'straight-through' : 'gate' },
    ({ logits, open, context }) => {
      const { training, rng, allowed, mask: counted } = context;
      const choicesPerRow = Math.min(topK, open);
      const gates = softmax(logits);
      if (context.onDevice === true) return { gates, combineWeights: hardWeights(settings, logits, gates, topKMaskOnDevice(gates, choicesPerRow)) };
      const values = gates.dataSync();
      expectFiniteGates('topKRouter', values, numExperts);
      const choices = chooseExperts(values, numExperts, {
        topK: choicesPerRow,
        allowed,
        mask: counted,
        noise: training && noiseStd > 0 ? { std: noiseStd, rng: rng!.stream('router/noise') } : undefined,
        capacityFactor: training ? capacityFactor : Infinity,
      });
      const mask = maskOfChoices(choices, choicesPerRow, numExperts);
      return { gates, combineWeights: hardWeights(settings, logits, gates, mask), chosen: mask.dataSync() };
    },
    { expect: (_, context) => expectContext(settings, context) },
  );
}

/** Combine weights as deployed; `mask` is 1 at the chosen experts. */
function hardWeights({ straightThrough: unit, normalise }: TopKSettings, logits: Tensor2D, gates: Tensor2D, mask: Tensor2D): Tensor2D {
  if (!unit && normalise === 'exact') return softmaxWhere(logits, mask);
  const chosen = mul(gates, mask) as Tensor2D;
  if (unit) return straightThrough(mask, chosen);
  return normalise === 'none' ? chosen : (div(chosen, add(sum(chosen, 1, true), RELEASED_GUARD)) as Tensor2D);
}
