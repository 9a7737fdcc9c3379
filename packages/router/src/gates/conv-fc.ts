// Shapes: T rows, H W pixels, C channels, F features, E experts.
import { expectArgument, expectInteger, expectKnownKeys, expectShape } from '@moe/core';
import { type Tensor2D, add, matMul, tidy } from '@tensorflow/tfjs-core';
import { uniformInit } from '../internal/uniform-init.js';
import type { GateNetwork } from '../types.js';
import { convGap } from './conv-gap.js';

export interface ConvFcOptions {
  /** Channels of the convolution, F. @defaultValue 256 */
  readonly features?: number;
}

/**
 * Gate network of the predecessor of *Robust Experts*: a 3×3 convolution to F channels, averaged over all positions, then a linear layer.
 *
 * @remarks
 * `W · (GAP(conv(x)) + b) + c`, no padding, no activation: linear in the input, so it is a bottleneck of rank F. 9·C·F + F + F·E + E parameters.
 *
 * @returns A gate network for rows `[T,H,W,C]`, H and W at least 3.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2204.10598 | Pavlitska et al. 2023}
 *
 * @example
 * const router = topKRouter({ numExperts: 4, topK: 2, gate: convFc() });
 */
export function convFc(options: ConvFcOptions = {}): GateNetwork {
  expectKnownKeys('convFc', options, ['features']);
  const { features = 256 } = options;
  expectInteger('convFc', 'features', features, 1);
  const conv = convGap({ kernel: 3 });
  return {
    name: 'convFc',
    options: { features },
    init(inputShape, numExperts, rng) {
      const fan = 9 * (inputShape[2] ?? 0);
      return {
        convKernel: conv.init(inputShape, features, rng.stream('conv'))['kernel']!,
        convBias: uniformInit([features], fan, rng.stream('convBias')),
        kernel: uniformInit([features, numExperts], features, rng.stream('kernel')),
        bias: uniformInit([numExperts], features, rng.stream('bias')),
      };
    },
    logits({ convKernel, convBias, kernel, bias }, inputs) {
      expectArgument('convFc', 'weights', convKernel !== undefined && convBias !== undefined && kernel !== undefined && bias !== undefined, 'hold convKernel, convBias, kernel and bias', convKernel && 'some of them');
      expectShape('convFc', { kernel }, [features, 'E']);
      return tidy(() => add(matMul(add(conv.logits({ kernel: convKernel }, inputs), convBias), kernel as Tensor2D), bias) as Tensor2D);
    },
  };
}
