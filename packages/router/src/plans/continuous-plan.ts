// Shapes: T tokens, E experts.
import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { RouteContext } from '../types.js';
import { expectFiniteGates } from './expect-context.js';
import type { GatedDecision } from './gated-router.js';

/** Decision of a router whose weights are their own choice: a row runs through the experts where they are not 0. */
export function continuousDecision(
  caller: string,
  { gates, combineWeights = gates }: { readonly gates: Tensor2D; readonly combineWeights?: Tensor2D },
  { onDevice }: Pick<RouteContext, 'onDevice'>,
): GatedDecision {
  const decision = { gates, combineWeights, relaxable: false };
  if (onDevice === true) return decision;
  const chosen = combineWeights.dataSync();
  expectFiniteGates(caller, chosen, combineWeights.shape[1]);
  return { ...decision, chosen: runAtLeastOne(chosen) };
}

/** A batch in which no weight is above 0 still needs outputs: its first row runs through the first expert, with weight 0. */
function runAtLeastOne(weights: ArrayLike<number>): ArrayLike<number> {
  for (let i = 0; i < weights.length; i++) if (weights[i] !== 0) return weights;
  return Uint8Array.from({ length: weights.length }, (_, i) => Number(i === 0));
}
