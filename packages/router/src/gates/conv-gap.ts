// Shapes: T rows, H W pixels, C channels, E experts.
import { expectArgument, expectKnownKeys, expectOneOf, expectShape } from '@moe/core';
import { type Tensor2D, type Tensor4D, avgPool, matMul, reshape, tidy } from '@tensorflow/tfjs-core';
import { uniformInit } from '../internal/uniform-init.js';
import type { GateNetwork } from '../types.js';

export interface ConvGapOptions {
  /** Side of the square filter. @defaultValue 3, as in the experiments; the released class itself defaults to 1 */
  readonly kernel?: 1 | 3;
}

/**
 * Gate network of one convolution to E channels, averaged over all positions: `GAP(conv(x))`.
 *
 * @remarks
 * Stride 1, no padding, no bias; k²·C·E parameters, `kernel` `[k,k,C,E]`, U(±1/(k√C)) at the start.
 * A convolution is linear, so averaging its outputs equals applying it once to averaged inputs:
 * `GAP(conv(x)) = conv(avgPool(x))` with a window of `(H-k+1) × (W-k+1)`. That is what runs, at a fraction of the multiplications
 * and with a plain matrix product as filter gradient. Differs from the source in rounding only.
 *
 * @returns A gate network for rows `[T,H,W,C]`, H and W at least `kernel`.
 * @throws {@link ArgumentError} if an option is unknown or not allowed.
 * @see {@link https://arxiv.org/abs/2509.05086 | Pavlitska et al. 2025}, "Conv-GAP".
 *
 * @example
 * const router = topKRouter({ numExperts: 4, topK: 1, gate: convGap({ kernel: 3 }) });
 */
export function convGap(options: ConvGapOptions = {}): GateNetwork {
  expectKnownKeys('convGap', options, ['kernel']);
  const { kernel: size = 3 } = options;
  expectOneOf('convGap', 'kernel', size, [1, 3]);
  return {
    name: 'convGap',
    options: { kernel: size },
    init(inputShape, numExperts, rng) {
      expectShape('convGap', { row: { shape: inputShape } }, ['H', 'W', 'C']);
      const channels = inputShape[2]!;
      return { kernel: uniformInit([size, size, channels, numExperts], size * size * channels, rng.stream('kernel')) };
    },
    logits({ kernel }, inputs) {
      const { T, H, W, C } = expectShape('convGap', { inputs }, ['T', 'H', 'W', 'C']);
      expectArgument('convGap', 'weights', kernel !== undefined, 'hold kernel', kernel);
      const { E } = expectShape('convGap', { kernel }, [size, size, C, 'E']);
      expectArgument('convGap', 'inputs', H >= size && W >= size, `be at least ${size} × ${size} pixels`, inputs.shape);
      return tidy(() => {
        const pooled = avgPool(inputs as Tensor4D, [H - size + 1, W - size + 1], 1, 'valid');
        return matMul(reshape(pooled, [T, size * size * C]) as Tensor2D, reshape(kernel, [size * size * C, E]) as Tensor2D) as Tensor2D;
      });
    },
  };
}
