// Shapes: T rows, C channels, E experts.
import { expectArgument, expectKnownKeys, expectNumber, expectOneOf, expectShape } from '@moe/core';
import { type Tensor2D, add, matMul, mul, square, sub, sum, tensor2d, tidy, transpose } from '@tensorflow/tfjs-core';
import { normalInit } from '../internal/normal-init.js';
import type { GateNetwork } from '../types.js';
import { channelMeans } from './gap-fc.js';

export interface PrototypeGateOptions {
  /** Inverse temperature β > 0 of the similarity. @defaultValue 1 */
  readonly beta?: number;
  /** `'distance'`: -‖x̄ - m‖²; `'dot'`: ⟨x̄, m⟩, the update of a modern Hopfield network. @defaultValue 'distance' */
  readonly similarity?: 'distance' | 'dot';
  /** Fixed prototypes `[E,C]`, one for each expert. @defaultValue learned ones, N(0, 1) at the start */
  readonly prototypes?: readonly (readonly number[])[];
}

/**
 * Gate network that compares the input with one prototype per expert.
 *
 * @remarks
 * `z_te = β · sim(x̄_t, m_e)`, x̄ the mean over all positions; weight `prototypes` `[C,E]`. With `softmaxRouter` it is a soft prototype router; with
 * `topKRouter` and K = 1 each row goes to the nearest prototype, a Voronoi partition of the input, which with fixed prototypes is the router of
 * Kratsios et al.
 *
 * @returns A gate network for rows `[T,…,C]`.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2402.03460 | Kratsios et al. 2024}; {@link https://arxiv.org/abs/2008.02217 | Ramsauer et al. 2021}
 *
 * @example
 * const voronoi = topKRouter({ numExperts: 2, gate: prototypeGate({ prototypes: [[0, 0], [1, 1]] }) });
 */
export function prototypeGate(options: PrototypeGateOptions = {}): GateNetwork {
  expectKnownKeys('prototypeGate', options, ['beta', 'similarity', 'prototypes']);
  const { beta = 1, similarity = 'distance', prototypes: fixed } = options;
  expectNumber('prototypeGate', 'beta', beta, Number.MIN_VALUE);
  expectOneOf('prototypeGate', 'similarity', similarity, ['distance', 'dot']);
  if (fixed !== undefined) expectArgument('prototypeGate', 'prototypes', fixed.length >= 1 && fixed.every((row) => row.length === fixed[0]!.length), 'be E rows of the same length', fixed.map((row) => row.length));
  return {
    name: 'prototypeGate',
    options: { beta, similarity, ...(fixed !== undefined && { prototypes: fixed }) },
    init(inputShape, numExperts, rng) {
      const channels = inputShape.at(-1) ?? 0;
      if (fixed === undefined) return { prototypes: normalInit([channels, numExperts], 1, rng.stream('prototypes')) };
      expectArgument('prototypeGate', 'prototypes', fixed.length === numExperts && fixed[0]!.length === channels, `be ${numExperts} rows of ${channels} numbers`, [fixed.length, fixed[0]!.length]);
      return { prototypes: { value: tidy(() => transpose(tensor2d(fixed.map((row) => [...row])))), trainable: false } };
    },
    logits({ prototypes }, inputs) {
      expectArgument('prototypeGate', 'inputs', inputs.rank >= 2, 'have rank ≥ 2', inputs.shape);
      expectArgument('prototypeGate', 'weights', prototypes !== undefined, 'hold prototypes', prototypes);
      expectShape('prototypeGate', { prototypes }, [inputs.shape.at(-1)!, 'E']);
      return tidy(() => {
        const means = channelMeans(inputs, inputs.shape[0]!);
        const dot = matMul(means, prototypes as Tensor2D) as Tensor2D;
        if (similarity === 'dot') return mul(dot, beta);
        const squares = add(sum(square(means), 1, true), sum(square(prototypes), 0, true));
        return mul(sub(mul(dot, 2), squares), beta) as Tensor2D;
      });
    },
  };
}
