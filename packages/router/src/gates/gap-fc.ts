// Shapes: T rows, H W pixels, C channels, E experts.
import { expectArgument, expectKnownKeys, expectOneOf, expectShape } from '@moe/core';
import { type Tensor, type Tensor2D, add, matMul, mean, reshape, tidy } from '@tensorflow/tfjs-core';
import { uniformInit } from '../internal/uniform-init.js';
import type { GateNetwork } from '../types.js';

export interface GapFcOptions {
  /** Whether a bias is added; the routers of V-MoE have none. @defaultValue true */
  readonly bias?: boolean;
}

/**
 * Gate network that averages over all positions and applies one linear layer: `W · GAP(x) + b`.
 *
 * @remarks
 * C·E + E parameters (C·E without bias), `kernel` `[C,E]` and `bias` `[E]`, both U(±1/√C) at the start. Rows of rank 1, `[T,C]`, skip the average.
 *
 * @returns A gate network for rows `[T,…,C]`.
 * @see {@link https://arxiv.org/abs/2509.05086 | Pavlitska et al. 2025}, "GAP-FC".
 *
 * @example
 * const router = topKRouter({ numExperts: 4, topK: 1, gate: gapFc() });
 */
export function gapFc(options: GapFcOptions = {}): GateNetwork {
  expectKnownKeys('gapFc', options, ['bias']);
  const { bias: hasBias = true } = options;
  expectOneOf('gapFc', 'bias', hasBias, [true, false]);
  return {
    name: 'gapFc',
    options: hasBias ? {} : { bias: false },
    init(inputShape, numExperts, rng) {
      const channels = inputShape.at(-1) ?? 0;
      expectArgument('gapFc', 'inputShape', channels >= 1, 'end in a number of channels ≥ 1', inputShape);
      return {
        kernel: uniformInit([channels, numExperts], channels, rng.stream('kernel')),
        ...(hasBias && { bias: uniformInit([numExperts], channels, rng.stream('bias')) }),
      };
    },
    logits({ kernel, bias }, inputs) {
      expectArgument('gapFc', 'weights', kernel !== undefined && (bias !== undefined) === hasBias, `hold kernel${hasBias ? ' and bias' : ' alone'}`, [kernel && 'kernel', bias && 'bias']);
      expectArgument('gapFc', 'inputs', inputs.rank >= 2, 'have rank ≥ 2', inputs.shape);
      const [rows = 0, ...rest] = inputs.shape;
      const { E } = expectShape('gapFc', { kernel }, [rest.at(-1)!, 'E']);
      if (bias !== undefined) expectShape('gapFc', { bias }, ['E'], { E });
      return tidy(() => {
        const scores = matMul(channelMeans(inputs, rows), kernel as Tensor2D) as Tensor2D;
        return bias === undefined ? scores : add(scores, bias);
      });
    },
  };
}

/** Mean over all positions, `[T,…,C] → [T,C]`. */
export function channelMeans(inputs: Tensor, rows: number): Tensor2D {
  if (inputs.rank === 2) return inputs as Tensor2D;
  // One middle axis instead of two: engines reduce rank 3 faster than rank 4.
  return mean(reshape(inputs, [rows, -1, inputs.shape.at(-1)!]), 1);
}
