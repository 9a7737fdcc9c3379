// Shapes: T tokens (rows), E experts, K choices per row.
import { NumericsError, straightThrough, topKIndices } from '@moe/core';
import { type Scalar, type Tensor, type Tensor2D, add, div, mul, scalar, softmax, sum, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { assignRows } from '../assign-rows.js';
import { chooseExperts } from '../internal/choose-experts.js';
import type { Assignment, Plan, RouteContext, Router, Weights } from '../types.js';
import { type TopKRouterOptions, type TopKSettings, expectContext, resolveTopKOptions } from './top-k-options.js';

// Makes a gate exactly 0 in float32, and is finite, so that no gradient turns to NaN.
const SHUT = -1e9;
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
  const { numExperts, topK, gate } = settings;
  return {
    name: 'topKRouter',
    options: settings.json,
    numExperts,
    topK,
    batchInvariant: true,
    continuous: topK === numExperts,
    gradientPath: settings.straightThrough ? 'straight-through' : 'gate',
    init: (inputShape, rng) => gate.init(inputShape, numExperts, rng),
    route: (weights, inputs, context) => route(settings, weights, inputs, context),
  };
}

function route(settings: TopKSettings, weights: Weights, inputs: Tensor, context: RouteContext): Plan {
  const { numExperts, gate, noiseStd, capacityFactor } = settings;
  const { training, rng, allowed } = context;
  const choicesPerRow = expectContext(settings, context);
  let assignment: Assignment | undefined;
  const tensors = tidy(() => {
    const gateLogits = gate.logits(weights, inputs);
    const numTokens = gateLogits.shape[0];
    const logits = allowed === undefined ? gateLogits : (add(gateLogits, [allowed.map((open) => (open ? 0 : SHUT))]) as Tensor2D);
    const gates = softmax(logits);
    const values = gates.dataSync();
    expectFinite(values, numExperts);

    const choices = chooseExperts(values, numExperts, {
      topK: choicesPerRow,
      allowed,
      noise: training && noiseStd > 0 ? { std: noiseStd, rng: rng!.stream('router/noise') } : undefined,
      capacityFactor: training ? capacityFactor : Infinity,
    });
    const mask = maskOf(choices, choicesPerRow, numExperts);
    const hard = hardWeights(settings, logits, gates, mask);
    const relaxed = context.gate === undefined || context.gate === 'hard' ? undefined : context.gate;
    assignment = relaxed === undefined ? assignRows(choices, choicesPerRow, numExperts) : everyRowToEach(numTokens, numExperts, allowed);
    return {
      gateLogits,
      gates,
      combineWeights: relaxed === undefined ? hard : straightThrough(hard, softmax(div(logits, relaxed.temperature)) as Tensor2D),
      auxLoss: balanceLoss(settings, gates, values),
    };
  });
  return { ...tensors, assignment: assignment!, droppedFraction: 0 };
}

/** Combine weights as deployed; `mask` is 1 at the chosen experts. */
function hardWeights({ straightThrough: unit, normalise }: TopKSettings, logits: Tensor2D, gates: Tensor2D, mask: Tensor2D): Tensor2D {
  // A softmax over the chosen logits is the renormalised gate, without the division of two numbers that may both underflow.
  if (!unit && normalise === 'exact') return softmax(add(logits, mul(add(mask, -1), -SHUT)) as Tensor2D);
  const chosen = mul(gates, mask) as Tensor2D;
  if (unit) return straightThrough(mask, chosen);
  return normalise === 'none' ? chosen : (div(chosen, add(sum(chosen, 1, true), RELEASED_GUARD)) as Tensor2D);
}

function balanceLoss({ balance, numExperts }: TopKSettings, gates: Tensor2D, values: ArrayLike<number>): Scalar {
  if (balance === undefined) return scalar(0);
  const firstChoice = maskOf(topKIndices(values, numExperts, 1), 1, numExperts);
  return mul(balance.loss(gates, firstChoice), balance.weight);
}

function maskOf(choices: Int32Array, choicesPerRow: number, numExperts: number): Tensor2D {
  const numTokens = choices.length / choicesPerRow;
  const mask = new Float32Array(numTokens * numExperts);
  choices.forEach((expert, i) => (mask[Math.floor(i / choicesPerRow) * numExperts + expert] = 1));
  return tensor2d(mask, [numTokens, numExperts]);
}

function everyRowToEach(numTokens: number, numExperts: number, allowed: RouteContext['allowed']): Assignment {
  const open = Array.from({ length: numExperts }, (_, expert) => expert).filter((expert) => allowed?.[expert] !== false);
  return assignRows(Array.from({ length: numTokens }, () => open).flat(), open.length, numExperts);
}

function expectFinite(gates: ArrayLike<number>, numExperts: number): void {
  for (let i = 0; i < gates.length; i++) {
    if (!Number.isFinite(gates[i])) {
      throw new NumericsError(`topKRouter: gates must be finite, got ${gates[i]} in row ${Math.floor(i / numExperts)}. Check inputs and gate weights for NaN.`);
    }
  }
}
