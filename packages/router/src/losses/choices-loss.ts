// Shapes: T tokens, E experts, K choices per token.
import { type Scalar, type Tensor2D, mul, step, sum, tidy } from '@tensorflow/tfjs-core';
import { detached } from '../internal/detached.js';
import { expectLossShapes, maskedMean } from '../internal/masked.js';
import type { BalanceLossOptions } from './balance-loss.js';

/**
 * {@link switchLoss} that counts all K choices of a token, not the first alone.
 *
 * @remarks
 * `E · Σₑ fₑ Pₑ` with fₑ the share of tokens whose weight for e is above 0 (no gradient): K when balanced, as in Mixtral. Uses `options.combineWeights`, from which capacity may have taken choices
 * away, and the first choices where there are none.
 *
 * @param gates      - softmaxed router scores `[T,E]`.
 * @param assignment - one-hot of each token's first choice `[T,E]`.
 * @returns Scalar ≥ 0, no unit; the caller disposes it.
 * @throws {@link ShapeError} if the shapes differ.
 * @see {@link https://arxiv.org/abs/2401.04088 | Jiang et al. 2024} and the loss of its implementations.
 */
export function choicesLoss(gates: Tensor2D, assignment: Tensor2D, { mask, combineWeights = assignment }: BalanceLossOptions = {}): Scalar {
  const { E } = expectLossShapes('choicesLoss', gates, assignment, mask);
  return tidy(() => {
    const chosen = detached(combineWeights, (weights) => step(weights) as Tensor2D);
    return mul(sum(mul(maskedMean(chosen, mask), maskedMean(gates, mask))), E) as Scalar;
  });
}
