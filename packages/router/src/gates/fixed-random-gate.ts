// Shapes: T rows, C channels, E experts.
import { expectArgument, expectShape } from '@moe/core';
import { type Tensor2D, matMul, tidy } from '@tensorflow/tfjs-core';
import { normalInit } from '../internal/normal-init.js';
import type { GateNetwork } from '../types.js';
import { channelMeans } from './gap-fc.js';

/**
 * Gate network that is never trained: `R · GAP(x)` with R ~ N(0, 1), drawn once.
 *
 * @remarks
 * No parameters that an optimiser moves; `kernel` `[C,E]` is stored with the weights. A baseline: similar inputs share experts, and nothing is learned about which.
 *
 * @returns A gate network for rows `[T,…,C]`.
 * @see The code released with {@link https://arxiv.org/abs/2509.05086 | Pavlitska et al. 2025} ("GADRN").
 *
 * @example
 * const router = topKRouter({ numExperts: 4, gate: fixedRandomGate() });
 */
export function fixedRandomGate(): GateNetwork {
  return {
    name: 'fixedRandomGate',
    options: {},
    init(inputShape, numExperts, rng) {
      const channels = inputShape.at(-1) ?? 0;
      expectArgument('fixedRandomGate', 'inputShape', channels >= 1, 'end in a number of channels ≥ 1', inputShape);
      return { kernel: { ...normalInit([channels, numExperts], 1, rng.stream('kernel')), trainable: false } };
    },
    logits({ kernel }, inputs) {
      expectArgument('fixedRandomGate', 'weights', kernel !== undefined, 'hold kernel', kernel);
      expectShape('fixedRandomGate', { kernel }, [inputs.shape.at(-1)!, 'E']);
      return tidy(() => matMul(channelMeans(inputs, inputs.shape[0]!), kernel as Tensor2D));
    },
  };
}
