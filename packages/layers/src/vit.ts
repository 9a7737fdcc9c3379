import type { LayersModel } from '@tensorflow/tfjs-layers';
import { buildNetwork } from './build-network.js';
import { type VitOptions, vitSpec } from './spec/vit-spec.js';

/**
 * A vision transformer as an ordinary tfjs model, dense or with mixtures of feed-forward experts (V-MoE, Soft MoE).
 *
 * @remarks
 * Pre-norm blocks, GELU by its tanh approximation, layer norm eps 1e-6, Xavier-uniform projections, a classifier that starts at 0: the definitions of V-MoE. A
 * router sees all tokens of the batch and knows how many belong to an image.
 *
 * @param options - see {@link VitOptions}; {@link vitFromName} gives the shapes of the papers.
 * @returns Model `[B,H,W,C]` in [0, 1] → logits `[B,M]`, not softmaxed; the caller disposes it.
 * @throws {@link ArgumentError} if an option breaks its rule.
 * @see {@link https://arxiv.org/abs/2010.11929 | Dosovitskiy et al. 2021}; {@link https://arxiv.org/abs/2106.05974 | Riquelme et al. 2021}
 *
 * @example
 * const router = vMoeRouter({ numExperts: 4, topK: 2, gate: gapFc({ bias: false }) });
 * const model = vit({ patch: 4, width: 32, depth: 2, hidden: 64, heads: 4, classes: 10, inputShape: [28, 28, 1], seed: 1, moe: { layers: [1], router } });
 */
export function vit(options: VitOptions): LayersModel {
  return buildNetwork(vitSpec(options));
}
