// Shapes: T rows, C channels, E experts.
import { expectArgument, expectInteger } from '@moe/core';
import { slice, tidy } from '@tensorflow/tfjs-core';
import type { GateNetwork } from '../types.js';
import { channelMeans } from './gap-fc.js';

/**
 * Gate network without weights: the scores are the means of the first E channels of the input.
 *
 * @remarks
 * The layers before it can learn to route through these channels.
 *
 * @param numExperts - E, at most the number of channels.
 * @returns A gate network for rows `[T,…,C]`.
 * @throws {@link ArgumentError} if E is no integer ≥ 1; `logits` if there are fewer channels.
 * @see The code released with {@link https://arxiv.org/abs/2509.05086 | Pavlitska et al. 2025} ("GSERN", single entry).
 *
 * @example
 * const router = topKRouter({ numExperts: 4, gate: firstChannelsGate({ numExperts: 4 }) });
 */
export function firstChannelsGate({ numExperts }: { readonly numExperts: number }): GateNetwork {
  expectInteger('firstChannelsGate', 'numExperts', numExperts, 1);
  return {
    name: 'firstChannelsGate',
    options: { numExperts },
    init: () => ({}),
    logits(_, inputs) {
      const channels = inputs.shape.at(-1)!;
      expectArgument('firstChannelsGate', 'inputs', inputs.rank >= 2 && channels >= numExperts, `have at least ${numExperts} channels`, inputs.shape);
      return tidy(() => slice(channelMeans(inputs, inputs.shape[0]!), [0, 0], [-1, numExperts]));
    },
  };
}
