import { expectInteger } from '@moe/core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { moeModel } from '../model/moe-model.js';
import { changeMixtures } from './change-mixtures.js';
import { routerWith } from './router-with.js';
import { slotsOf } from './slots.js';

/**
 * A network that sends each row to another number of experts than it was trained with.
 *
 * @remarks
 * Gates, experts and everything else are shared with the old network. `topKRouter` with K = 1 gives the chosen expert weight 1, with K > 1 the renormalised gates of the chosen,
 * whatever the network was trained with, as the released code of *Robust Experts* does.
 *
 * @param network - a network of this package; it is left as it was.
 * @param topK    - experts per row in all MoE layers, or by name of the layer.
 * @returns A new model; the caller disposes it.
 * @throws {@link ArgumentError} if a layer does not exist, its router has no such option, or it has fewer experts.
 *
 * @example
 * const accuracies = [1, 2, 3, 4].map((topK) => accuracyOf(withTopK(network, topK)));
 */
export function withTopK(network: LayersModel, topK: number | Readonly<Record<string, number>>): LayersModel {
  const byLayer = typeof topK === 'number' ? Object.fromEntries(moeModel(network).moeLayers.map(({ name }) => [name, topK])) : topK;
  return changeMixtures('withTopK', network, Object.keys(byLayer), ({ name, part }) => {
    const k = byLayer[name]!;
    expectInteger('withTopK', `topK of '${name}'`, k, 1, part.router.numExperts);
    return { router: routerWith('withTopK', part.router, { topK: k }), slots: slotsOf(part), expert: (expert, valueOf) => valueOf(expert) };
  });
}
