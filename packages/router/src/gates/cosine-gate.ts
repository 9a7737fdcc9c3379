// Shapes: T rows, C channels, P projected features, E experts.
import { expectArgument, expectInteger, expectKnownKeys, expectNumber, expectShape } from '@moe/core';
import { type Tensor, type Tensor2D, div, exp, matMul, maximum, minimum, mul, norm, scalar, tidy } from '@tensorflow/tfjs-core';
import { normalInit } from '../internal/normal-init.js';
import type { GateNetwork } from '../types.js';
import { channelMeans } from './gap-fc.js';

export interface CosineGateOptions {
  /** Length of the projected features, P. @defaultValue 256 */
  readonly dimension?: number;
  /** First temperature τ; scores are cosines times 1/τ, and 1/τ is learned, at most 100. @defaultValue 0.5 */
  readonly temperature?: number;
}

const MAX_SCALE = 100;
const TINY = 1e-12;

/**
 * Gate network that compares the direction of a projection of the input with one direction per expert.
 *
 * @remarks
 * `z_te = min(1/τ, 100) · ⟨P x̄_t, w_e⟩ / (‖P x̄_t‖ ‖w_e‖)`, x̄ the mean over all positions. C·P + P·E + 1 parameters: `projection` `[C,P]`, `embeddings` `[P,E]`,
 * and `logScale`, the logarithm of 1/τ. Scores do not grow with the input, so representations need not collapse onto the experts.
 *
 * @returns A gate network for rows `[T,…,C]`.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2204.09179 | Chi et al. 2022} (X-MoE); the limit of the scale is Tutel's.
 *
 * @example
 * const router = topKRouter({ numExperts: 8, topK: 2, gate: cosineGate({ dimension: 64 }) });
 */
export function cosineGate(options: CosineGateOptions = {}): GateNetwork {
  expectKnownKeys('cosineGate', options, ['dimension', 'temperature']);
  const { dimension = 256, temperature = 0.5 } = options;
  expectInteger('cosineGate', 'dimension', dimension, 1);
  expectNumber('cosineGate', 'temperature', temperature, 1 / MAX_SCALE);
  return {
    name: 'cosineGate',
    options: { dimension, temperature },
    init(inputShape, numExperts, rng) {
      const channels = inputShape.at(-1) ?? 0;
      expectArgument('cosineGate', 'inputShape', channels >= 1, 'end in a number of channels ≥ 1', inputShape);
      return {
        projection: normalInit([channels, dimension], 1 / Math.sqrt(channels), rng.stream('projection')),
        embeddings: normalInit([dimension, numExperts], 1 / Math.sqrt(dimension), rng.stream('embeddings')),
        logScale: { value: scalar(Math.log(1 / temperature)), trainable: true },
      };
    },
    logits({ projection, embeddings, logScale }, inputs) {
      expectArgument('cosineGate', 'inputs', inputs.rank >= 2, 'have rank ≥ 2', inputs.shape);
      expectArgument('cosineGate', 'weights', projection !== undefined && embeddings !== undefined && logScale !== undefined, 'hold projection, embeddings and logScale', Object.keys({ projection }));
      const [rows = 0, ...rest] = inputs.shape;
      expectShape('cosineGate', { projection }, [rest.at(-1)!, dimension]);
      expectShape('cosineGate', { embeddings }, [dimension, 'E']);
      return tidy(() => {
        const features = matMul(channelMeans(inputs, rows), projection as Tensor2D);
        const cosines = matMul(unit(features, 1), unit(embeddings, 0)) as Tensor2D;
        return mul(cosines, exp(minimum(logScale, Math.log(MAX_SCALE))));
      });
    },
  };
}

const unit = (x: Tensor, axis: number): Tensor => div(x, maximum(norm(x, 2, axis, true), TINY));
