// Shapes: T tokens, E experts.
import { expectArgument, expectInteger, expectKnownKeys, expectOneOf, expectShape } from '@moe/core';
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, add, div, erf, mul, sub, sum, tidy } from '@tensorflow/tfjs-core';
import { maskedMean } from '../internal/masked.js';
import { thresholdMask } from '../internal/threshold-mask.js';
import { type VarianceConvention, squaredVariation } from './importance-loss.js';

export interface LoadLossOptions {
  /** Choices per token, K. */
  readonly topK: number;
  /** Standard deviation of the noise: one number, or one per token and expert `[T,E]`; > 0. */
  readonly std: number | Tensor2D;
  /** Tokens that count, `[T]`, 1 or 0. @defaultValue all */
  readonly mask?: Tensor1D;
  /** @defaultValue 'population' */
  readonly variance?: VarianceConvention;
}

/**
 * Squared coefficient of variation of the experts' expected load: how often each would be chosen if the noise were drawn again.
 *
 * @remarks
 * `P_te = Φ((ℓ_te - θ_t) / σ)` with the clean score ℓ and as threshold θ the token's K-th largest noisy score; then Var/mean² over experts of the mean
 * over tokens. The gradient flows through the clean scores and the threshold. Differs from Shazeer et al., who leave the entry itself out when they
 * take its threshold.
 *
 * @param logits      - clean scores `[T,E]`.
 * @param noisyLogits - scores that chose, `[T,E]`.
 * @returns Scalar ≥ 0, no unit; the caller disposes it.
 * @throws {@link ShapeError} {@link ArgumentError} if shapes differ, or there is no noise.
 * @see {@link https://arxiv.org/abs/2106.05974 | Riquelme et al. 2021}, App. A.
 */
export function loadLoss(logits: Tensor2D, noisyLogits: Tensor2D, options: LoadLossOptions): Scalar {
  expectKnownKeys('loadLoss', options, ['topK', 'std', 'mask', 'variance']);
  const { topK, std, mask, variance = 'population' } = options;
  const { T, E } = expectShape('loadLoss', { logits, noisyLogits }, ['T', 'E']);
  if (mask !== undefined) expectShape('loadLoss', { mask }, [T]);
  expectInteger('loadLoss', 'topK', topK, 1, E);
  expectOneOf('loadLoss', 'variance', variance, ['population', 'sample']);
  if (typeof std === 'number') expectArgument('loadLoss', 'std', std > 0, 'be > 0', std, 'Without noise the load is a step function.');
  else expectShape('loadLoss', { std }, [T, E]);
  return tidy(() => {
    const threshold = sum(mul(noisyLogits, thresholdMask(noisyLogits, topK)), 1, true);
    const chance = normalCdf(div(sub(logits, threshold), std));
    return squaredVariation(maskedMean(chance as Tensor2D, mask), variance);
  });
}

/** Φ, the distribution function of the standard normal. */
const normalCdf = (x: Tensor): Tensor => mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
