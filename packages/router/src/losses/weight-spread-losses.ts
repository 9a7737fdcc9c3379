// Shapes: T tokens, E experts.
import { type Scalar, type Tensor1D, type Tensor2D, add, div, expandDims, maximum, mean, mul, neg, sqrt, square, sub, sum, tidy } from '@tensorflow/tfjs-core';
import { countOf, expectLossShapes, maskedMean, meanOfTokens } from '../internal/masked.js';
import type { BalanceLossOptions } from './balance-loss.js';

// Keeps the slope of the square root finite for equal weights.
const TINY = 1e-12;

/**
 * Minus the variance of each expert's weight over the tokens, averaged over experts: small where tokens are told apart.
 *
 * @remarks
 * `-(1/E) Σₑ Var_t(w_te)`, over T - 1. Uses `options.combineWeights`, and the gates where there are none. 0 when all tokens have the same weights.
 *
 * @param gates      - softmaxed router scores `[T,E]`.
 * @param assignment - `[T,E]`; not used, part of every balance loss.
 * @returns Scalar ≤ 0, no unit; the caller disposes it.
 * @throws {@link ShapeError} if the shapes differ.
 * @see {@link https://arxiv.org/abs/2204.10598 | Pavlitska et al. 2023}, code; weight 0 in its final runs.
 */
export function tokenVarianceLoss(gates: Tensor2D, assignment: Tensor2D, { mask, combineWeights = gates }: BalanceLossOptions = {}): Scalar {
  const { T } = expectLossShapes('tokenVarianceLoss', gates, assignment, mask);
  return tidy(() => {
    const squares = square(sub(combineWeights, maskedMean(combineWeights, mask)));
    const total = mask === undefined ? sum(squares, 0) : sum(mul(squares, expandDims(mask, 1)), 0);
    return neg(mean(div(total, mask === undefined ? Math.max(T - 1, 1) : maximum(sub(countOf(mask), 1), 1)))) as Scalar;
  });
}

/**
 * Minus the mean coefficient of variation of a token's weights over experts: small where each token is sure.
 *
 * @remarks
 * `-mean_t std_e(w_te) / mean_e(w_te)`, over E - 1: 0 for even weights, -√E for a single expert. Uses `options.combineWeights`, and the gates where there are none.
 *
 * @param gates      - softmaxed router scores `[T,E]`.
 * @param assignment - `[T,E]`; not used, part of every balance loss.
 * @returns Scalar ≤ 0, no unit; the caller disposes it.
 * @throws {@link ShapeError} if the shapes differ.
 * @see {@link https://arxiv.org/abs/2204.10598 | Pavlitska et al. 2023}, code; weight 0 in its final runs.
 */
export function expertVariationLoss(gates: Tensor2D, assignment: Tensor2D, { mask, combineWeights = gates }: BalanceLossOptions = {}): Scalar {
  const { E } = expectLossShapes('expertVariationLoss', gates, assignment, mask);
  return tidy(() => {
    const average = mean(combineWeights, 1, true);
    const variance = div(sum(square(sub(combineWeights, average)), 1, true), Math.max(E - 1, 1));
    const deviation = sub(sqrt(add(variance, TINY)), Math.sqrt(TINY));
    return neg(meanOfTokens(sum(div(deviation, maximum(average, TINY)), 1) as Tensor1D, mask));
  });
}
