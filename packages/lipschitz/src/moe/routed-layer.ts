import type { MoeLayerInfo, MoeModel } from '@moe/core';
import { ArgumentError, expectArgument, expectInteger } from '@moe/core';
import type { RouterScores } from './router-scores.js';

/** What a certificate needs to know of an MoE layer: an entry of `MoeModel.moeLayers` will do. */
export type RoutedLayer = Pick<MoeLayerInfo, 'name' | 'numExperts' | 'topK' | 'batchInvariant'>;

/** Refuses a layer whose result for one row depends on others. */
export function expectOwnRouting(caller: string, { name, batchInvariant }: Pick<RoutedLayer, 'name' | 'batchInvariant'>): void {
  if (batchInvariant) return;
  throw new ArgumentError(
    `${caller}: layer '${name}' must route each row by that row alone, got one whose routing depends on the other rows of its batch, through capacity, a choice by experts or a balanced assignment. ` +
      'In another batch the same input may go elsewhere, so nothing can be certified of it. Lift the capacity in evaluation, or use a router that is batch-invariant.',
  );
}

/**
 * Throws unless every MoE layer of a model routes each row by that row alone, without which there is nothing to certify of an input.
 *
 * @remarks
 * Certificates of this package that are given a layer or an MoE model call it themselves.
 *
 * @throws {@link ArgumentError} that names the layer and the reason.
 */
export function assertBatchInvariant(model: Pick<MoeModel, 'moeLayers'>): void {
  for (const layer of model.moeLayers) expectOwnRouting('assertBatchInvariant', layer);
}

/** Experts with the largest scores, ties to the lowest index; sorted. */
export function chosenExperts({ gateLogits }: RouterScores, topK: number): number[] {
  const order = Array.from(gateLogits.keys()).sort((a, b) => gateLogits[b]! - gateLogits[a]! || a - b);
  return order.slice(0, topK).sort((a, b) => a - b);
}

export function expectRouted(caller: string, scores: RouterScores, layer: RoutedLayer): void {
  expectOwnRouting(caller, layer);
  const experts = scores.gateLogits.length;
  expectArgument(caller, 'scores', experts === layer.numExperts, `have ${layer.numExperts} entries, one an expert of layer '${layer.name}'`, experts);
  expectInteger(caller, 'layer.topK', layer.topK, 1, experts);
}
