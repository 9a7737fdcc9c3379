// Shapes: T rows, E experts.
import { expectInteger } from '@moe/core';
import { zeros } from '@tensorflow/tfjs-core';
import type { GateNetwork } from '../types.js';

/**
 * Gate network that prefers no expert: all scores are 0. With K = E the mixture is the plain mean of the experts, an ensemble.
 *
 * @param numExperts - E; a gate without weights cannot learn it from them.
 * @returns A gate network for rows of any shape.
 * @throws {@link ArgumentError} if E is no integer ≥ 1.
 * @see {@link https://arxiv.org/abs/2204.10598 | Pavlitska et al. 2023}, static gates.
 *
 * @example
 * const ensemble = softmaxRouter({ numExperts: 4, gate: equalGate({ numExperts: 4 }) });
 */
export function equalGate({ numExperts }: { readonly numExperts: number }): GateNetwork {
  expectInteger('equalGate', 'numExperts', numExperts, 1);
  return {
    name: 'equalGate',
    options: { numExperts },
    init: () => ({}),
    logits: (_, inputs) => zeros([inputs.shape[0]!, numExperts]),
  };
}
