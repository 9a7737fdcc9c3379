// Shapes: T rows, H W pixels, C channels, F features, E experts, k kernel.
import { expectArgument, expectInteger, expectKnownKeys, expectOneOf, expectShape } from '@moe/core';
import { type Tensor, type Tensor4D, add, avgPool, conv2d, mul, ones, rsqrt, sub, tidy, zeros } from '@tensorflow/tfjs-core';
import { pixelStatistics } from '../internal/pixel-statistics.js';
import { uniformInit } from '../internal/uniform-init.js';
import type { GateNetwork, GatePass, GateStatistics, Weights } from '../types.js';
import { convGap } from './conv-gap.js';

/** Options of {@link doubleConvGap}. */
export interface DoubleConvGapOptions {
  /** Side of both square filters. @defaultValue 1, as in the configuration that the released code can reach */
  readonly kernel?: 1 | 3;
  /** Channels between the two convolutions, F. @defaultValue 8 */
  readonly features?: number;
}

const EPSILON = 1e-5;

/**
 * Gate network of two convolutions with a batch norm between them, averaged over all positions: `GAP(conv(BN(conv(x))))`.
 *
 * @remarks
 * No activation, no padding, no bias: k²·F·(C + E) + 2F parameters and two running statistics. While training, the batch norm uses the mean and variance of the batch, and the running ones
 * move towards them: {@link gateScores}. In evaluation everything is linear, so the average is taken first and the convolutions run once a row, which differs in rounding only.
 *
 * @returns A gate network for rows `[T,H,W,C]`, H and W at least `2k - 1`.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/2509.05086 | Pavlitska et al. 2025}, released code, "double Conv-GAP".
 *
 * @example
 * const router = topKRouter({ numExperts: 4, topK: 1, gate: doubleConvGap() });
 */
export function doubleConvGap(options: DoubleConvGapOptions = {}): GateNetwork {
  expectKnownKeys('doubleConvGap', options, ['kernel', 'features']);
  const { kernel: size = 1, features = 8 } = options;
  expectOneOf('doubleConvGap', 'kernel', size, [1, 3]);
  expectInteger('doubleConvGap', 'features', features, 1);
  const second = convGap({ kernel: size });
  return {
    name: 'doubleConvGap',
    options: { kernel: size, features },
    init(inputShape, numExperts, rng) {
      expectShape('doubleConvGap', { row: { shape: inputShape } }, ['H', 'W', 'C']);
      const channels = inputShape[2]!;
      const state = (value: Tensor): { value: Tensor; trainable: boolean } => ({ value, trainable: false });
      return {
        'conv/kernel': uniformInit([size, size, channels, features], size * size * channels, rng.stream('conv')),
        'bn/gamma': { value: ones([features]), trainable: true },
        'bn/beta': { value: zeros([features]), trainable: true },
        'bn/movingMean': state(zeros([features])),
        'bn/movingVariance': state(ones([features])),
        ...second.init([size, size, features], numExperts, rng.stream('second')),
      };
    },
    logits(weights, inputs, pass = { training: false }) {
      const { H, W, C } = expectShape('doubleConvGap', { inputs }, ['T', 'H', 'W', 'C']);
      const [conv, kernel, ...norm] = expectWeights(weights);
      expectShape('doubleConvGap', { 'conv/kernel': conv }, [size, size, C, features]);
      expectShape('doubleConvGap', { kernel }, [size, size, features, 'E']);
      const least = 2 * size - 1;
      expectArgument('doubleConvGap', 'inputs', H >= least && W >= least, `be at least ${least} × ${least} pixels`, inputs.shape);
      return tidy(() => {
        const ofBatch = pass.training || pass.observeStatistics !== undefined;
        // What averages the output of both convolutions averages their input, where nothing between them depends on the batch.
        const x = ofBatch ? inputs : avgPool(inputs as Tensor4D, [H - least + 1, W - least + 1], 1, 'valid');
        const convolved = conv2d(x as Tensor4D, conv as Tensor4D, 1, 'valid');
        return second.logits({ kernel }, normalised(convolved, norm, ofBatch ? batchStatistics(convolved, pass) : undefined));
      });
    },
  };
}

type Norm = readonly [gamma: Tensor, beta: Tensor, movingMean: Tensor, movingVariance: Tensor];

function expectWeights(weights: Weights): readonly [conv: Tensor, kernel: Tensor, ...Norm] {
  const names = ['conv/kernel', 'kernel', 'bn/gamma', 'bn/beta', 'bn/movingMean', 'bn/movingVariance'];
  const found = names.map((name) => weights[name]);
  expectArgument('doubleConvGap', 'weights', !found.includes(undefined), `hold ${names.join(', ')}`, Object.keys(weights));
  return found as unknown as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
}

/** Statistics of the pixels that count, reported to who asked; none if no row counts. */
function batchStatistics(x: Tensor4D, { mask, observeStatistics }: GatePass): GateStatistics | undefined {
  const seen = pixelStatistics(x, mask);
  if (seen !== undefined) observeStatistics?.('bn', seen);
  return seen;
}

function normalised(x: Tensor4D, [gamma, beta, movingMean, movingVariance]: Norm, seen: GateStatistics | undefined): Tensor4D {
  const { mean, variance } = seen ?? { mean: movingMean, variance: movingVariance };
  return add(mul(sub(x, mean), mul(gamma, rsqrt(add(variance, EPSILON)))), beta);
}
