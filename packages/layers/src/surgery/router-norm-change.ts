// Shapes: C features of a gate, E experts.
import { expectArgument } from '@moe/core';
import { type Tensor, norm, reshape, sub, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { moeModel } from '../model/moe-model.js';
import { valuesByName } from './rebuild.js';

/**
 * How much the router's vector of each expert grew in training: a score for {@link pruneExperts}, large for experts that learned something.
 *
 * @remarks
 * `Δₑ = ‖wₑ after‖₂ - ‖wₑ before‖₂`, the difference of norms and not the norm of the difference; w is the weight `kernel` of the gate, with one column (or filter) for
 * each expert.
 *
 * @param before - the network before it was fine-tuned.
 * @param after  - the same network afterwards.
 * @returns Scores `[E]` by name of the MoE layer.
 * @throws {@link ArgumentError} if the networks have other gates, or gates without such a weight.
 * @see {@link https://arxiv.org/abs/2405.16646 | Chowdhury et al. 2024}
 */
export function routerNormChange(before: LayersModel, after: LayersModel): Readonly<Record<string, Float32Array>> {
  const [old, grown] = [valuesByName(before), valuesByName(after)];
  return Object.fromEntries(moeModel(after).moeLayers.map(({ name, numExperts }) => {
    const [from, to] = [old.get(`${name}/router/kernel`), grown.get(`${name}/router/kernel`)];
    expectArgument('routerNormChange', `gate of '${name}'`, from !== undefined && to !== undefined && to.shape.at(-1) === numExperts && String(from.shape) === String(to.shape), `have a kernel […,${numExperts}] in both networks`, [from?.shape, to?.shape].join(' and '));
    const norms = (kernel: Tensor): Tensor => norm(reshape(kernel, [-1, numExperts]), 2, 0);
    return [name, tidy(() => sub(norms(to), norms(from)).dataSync().slice() as Float32Array)];
  }));
}
