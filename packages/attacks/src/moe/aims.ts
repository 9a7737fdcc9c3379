// Shapes: B batch, N rows of one pass, R tokens of an example, E experts, K chosen.
import { type LogitsFn, type MoeLayerInfo, type MoeModel, topKIndices } from '@moe/core';
import { tensor2d } from '@tensorflow/tfjs-core';
import type { RowLoss } from '../losses/row-loss.js';
import { chosenOf, deviationOf } from './scores.js';

/** Experts of a layer that every token of an example is to choose, at most K, by row; none where the layer does not matter. */
export interface Aims {
  readonly layer: MoeLayerInfo;
  readonly experts: readonly (readonly number[])[];
}

// How clearly an expert is to be chosen, in deviations of the token's scores.
const CLEARLY = 1e-3;

/**
 * How far the experts aimed at are from being chosen: the mean over the tokens of the least lead over the score that they must pass, where that is missing; 0 once all choose them.
 */
export function shortfallOf({ layer: { numExperts, topK }, experts }: Aims): RowLoss {
  return (scores, at, width, _label, direction, row) => {
    direction.fill(0, at, at + width);
    const wanted = experts[row] ?? [];
    let loss = 0;
    for (let token = at; wanted.length > 0 && token < at + width; token += numExperts) {
      const values = scores.subarray(token, token + numExperts);
      const order = topKIndices(values, numExperts, numExperts);
      const weakest = order.filter((expert) => wanted.includes(expert)).at(-1)!;
      const rival = order.filter((expert) => !wanted.includes(expert))[topK - wanted.length];
      if (rival === undefined) continue;
      const lead = values[weakest]! - values[rival]! - CLEARLY * deviationOf(values);
      if (lead >= 0) continue;
      const share = numExperts / width;
      loss += share * lead;
      direction[token + weakest]! += share;
      direction[token + rival]! -= share;
    }
    return { loss, scale: 1 };
  };
}

/**
 * Combine weights with which every token runs the experts aimed at, row-major `[N·R,E]`: the best others fill up to K, and the scores weight them; a single expert has weight 1.
 *
 * @param scores - of the rows of a pass, `[N,R,E]`.
 */
export function weightsOf({ layer: { numExperts, topK }, experts }: Aims, scores: Float32Array, batch: readonly number[]): Float32Array {
  const weights = new Float32Array(scores.length);
  const width = scores.length / batch.length;
  for (let token = 0; token < scores.length; token += numExperts) {
    const wanted = experts[batch[Math.floor(token / width)]!] ?? [];
    const values = scores.subarray(token, token + numExperts);
    const others = [...chosenOf(values, Math.min(numExperts, topK + wanted.length))].filter((expert) => !wanted.includes(expert)).slice(0, topK - wanted.length);
    const chosen = [...wanted, ...others];
    const most = Math.max(...chosen.map((expert) => values[expert]!));
    const odds = chosen.map((expert) => Math.exp(values[expert]! - most));
    const total = odds.reduce((sum, odd) => sum + odd, 0);
    chosen.forEach((expert, i) => (weights[token + expert] = odds[i]! / total));
  }
  return weights;
}

/** The model with given combine weights in some layers, `[N·R,E]` by name, for one pass over as many rows. */
export const weightedModel =
  (moe: MoeModel, weights: readonly { readonly layer: MoeLayerInfo; readonly weights: Float32Array }[]): LogitsFn =>
  (inputs, draw) =>
    moe.forward(inputs, { ...(draw && { rng: draw.rng }), experts: Object.fromEntries(weights.map(({ layer, weights: values }) => [layer.name, tensor2d(values, [values.length / layer.numExperts, layer.numExperts])])) }).logits;
