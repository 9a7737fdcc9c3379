// Shapes: T tokens, E experts.
import type { Tensor2D } from '@tensorflow/tfjs-core';
import { type Balance, balanceTotal } from '../losses/balance-option.js';
import type { RouteContext } from '../types.js';
import type { Decision } from './build-plan.js';
import { expectFiniteGates } from './expect-context.js';
import { topKMaskOnDevice } from './on-device.js';

/** Decision of a router whose weights are their own choice: a row runs through the experts where they are not 0. */
export function continuousDecision(
  caller: string,
  { gateLogits, gates, combineWeights = gates }: { readonly gateLogits: Tensor2D; readonly gates: Tensor2D; readonly combineWeights?: Tensor2D },
  balance: Balance,
  context: RouteContext,
): Decision {
  const auxLoss = balanceTotal(balance, { gateLogits, gates, combineWeights, firstChoice: topKMaskOnDevice(gates, 1) }, context);
  const decision = { gateLogits, gates, combineWeights, auxLoss, relaxable: false };
  if (context.onDevice === true) return decision;
  const chosen = combineWeights.dataSync();
  expectFiniteGates(caller, chosen, combineWeights.shape[1]);
  return { ...decision, chosen: runAtLeastOne(chosen) };
}

/** A batch in which no weight is above 0 still needs outputs: its first row runs through the first expert, with weight 0. */
function runAtLeastOne(weights: ArrayLike<number>): ArrayLike<number> {
  for (let i = 0; i < weights.length; i++) if (weights[i] !== 0) return weights;
  return Uint8Array.from({ length: weights.length }, (_, i) => Number(i === 0));
}
