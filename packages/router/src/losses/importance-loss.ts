// Shapes: T tokens, E experts.
import { expectKnownKeys, expectOneOf } from '@moe/core';
import { type Scalar, type Tensor1D, type Tensor2D, div, maximum, mean, square, sub, sum, tidy } from '@tensorflow/tfjs-core';
import { expectLossShapes, maskedMean } from '../internal/masked.js';
import type { BalanceLossOptions } from './balance-loss.js';

/** `'population'` divides by E, as V-MoE does; `'sample'` by E - 1, as Tutel and FastMoE do. */
export type VarianceConvention = 'population' | 'sample';

// Nothing was sent anywhere: no variation, rather than 0/0.
const TINY = 1e-30;

/** Squared coefficient of variation, variance over squared mean: the slope stays finite where all entries are equal. */
export function squaredVariation(x: Tensor1D, convention: VarianceConvention): Scalar {
  return tidy(() => {
    const average = mean(x);
    const entries = convention === 'population' ? x.size : Math.max(x.size - 1, 1);
    return div(div(sum(square(sub(x, average))), entries), maximum(square(average), TINY));
  });
}

/**
 * Squared coefficient of variation of the experts' importance, the sum of their gates over all tokens.
 *
 * @remarks
 * `Var_e(I) / mean_e(I)²` with `I_e = Σ_t s_te`; 0 when balanced, E - 1 (population) or E (sample) when one expert takes all.
 *
 * @param gates      - softmaxed router scores `[T,E]`.
 * @param assignment - `[T,E]`; not used, part of every balance loss.
 * @param options    - token mask, and `variance`. @defaultValue `variance = 'population'`
 * @returns Scalar ≥ 0, no unit; the caller disposes it.
 * @throws {@link ShapeError} if the shapes differ.
 * @see {@link https://arxiv.org/abs/1701.06538 | Shazeer et al. 2017}, eq. (7); {@link https://arxiv.org/abs/2106.05974 | Riquelme et al. 2021}, App. A.
 */
export function importanceLoss(gates: Tensor2D, assignment: Tensor2D, options: BalanceLossOptions & { readonly variance?: VarianceConvention } = {}): Scalar {
  expectKnownKeys('importanceLoss', options, ['mask', 'logits', 'combineWeights', 'variance']);
  const { mask, variance = 'population' } = options;
  expectLossShapes('importanceLoss', gates, assignment, mask);
  expectOneOf('importanceLoss', 'variance', variance, ['population', 'sample']);
  return tidy(() => squaredVariation(maskedMean(gates, mask), variance));
}
