// Shapes: E experts.
import { expectArgument, expectInteger, expectKnownKeys, expectOneOf } from '@moe/core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { changeMixtures } from './change-mixtures.js';
import { routerWith } from './router-with.js';
import { slotsOf } from './slots.js';

/** Options of {@link pruneExperts}. */
export interface PruneExpertsOptions {
  /**
   * What a row gets where it would have gone to a pruned expert. `'zero'`: output 0 with the weight that it had, the router stays whole, as in the paper;
   * `'renormalise'`: the router loses these outputs and chooses among the rest. @defaultValue 'zero'
   */
  readonly slot?: 'zero' | 'renormalise';
}

/**
 * Removes experts of a trained network.
 *
 * @remarks
 * Which ones is for a score to say: {@link routerNormChange} (the paper's, with a guarantee), `expertUsage` of `@moe/router` (share or importance), or chance; `topKIndices`
 * of `@moe/core` picks the best. Without a skip around the experts, 0 is a harsh substitute: prefer `'renormalise'` for blocks.
 *
 * @param network - a network of this package; it is left as it was.
 * @param keep    - by name of the layer, the experts that stay. With `'renormalise'` they are numbered anew, in order; with `'zero'` they keep their numbers.
 * @returns A new model; the caller disposes it.
 * @throws {@link ArgumentError} if a layer or an expert does not exist, or nothing would stay.
 * @see {@link https://arxiv.org/abs/2405.16646 | Chowdhury et al. 2024}
 *
 * @example
 * const scores = routerNormChange(before, after);
 * const pruned = pruneExperts(after, { 'layer4.0': topKIndices(scores['layer4.0'], 8, 6) });
 */
export function pruneExperts(network: LayersModel, keep: Readonly<Record<string, ArrayLike<number>>>, options: PruneExpertsOptions = {}): LayersModel {
  expectKnownKeys('pruneExperts', options, ['slot']);
  const { slot = 'zero' } = options;
  expectOneOf('pruneExperts', 'slot', slot, ['zero', 'renormalise']);
  return changeMixtures('pruneExperts', network, Object.keys(keep), ({ name, part }) => {
    const old = slotsOf(part);
    const kept = [...new Set(Array.from(keep[name]!))].sort((a, b) => a - b);
    kept.forEach((expert, i) => expectInteger('pruneExperts', `keep['${name}'][${i}]`, expert, 0, old.length - 1));
    const living = [...new Set(kept.map((expert) => old[expert]!).filter((expert) => expert >= 0))];
    expectArgument('pruneExperts', `keep['${name}']`, living.length > 0, 'hold at least one expert that was not pruned', kept);
    const renumbered = old.map((expert, i) => (kept.includes(i) ? living.indexOf(expert) : -1));
    const expert = (index: number, valueOf: Parameters<ReturnType<Parameters<typeof changeMixtures>[3]>['expert']>[1]) => valueOf(living[index]!);
    if (slot === 'zero') return { router: part.router, slots: renumbered, expert };
    return { router: routerWith('pruneExperts', part.router, { numExperts: kept.length }), outputs: kept, slots: kept.map((index) => renumbered[index]!), expert };
  });
}
