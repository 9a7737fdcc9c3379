// Shapes: T tokens, E experts.
import { expectInteger, expectKnownKeys, expectNumber, expectShape } from '@moe/core';
import { type Scalar, type Tensor1D, type Tensor2D, mul, relu, sub, sum, tidy } from '@tensorflow/tfjs-core';
import { meanOfTokens } from '../internal/masked.js';
import { thresholdMask } from '../internal/threshold-mask.js';

export interface RouterMarginOptions {
  /** Experts per token, K < E. @defaultValue 1 */
  readonly topK?: number;
  /** Margin below which a token is penalised, in the unit of the scores. @defaultValue 1 */
  readonly margin?: number;
  /** Tokens that count, `[T]`, 1 or 0. @defaultValue all */
  readonly mask?: Tensor1D;
}

/**
 * Hinge on how far the last chosen expert is ahead of the first that was not: the radius in which routing is certified grows with it.
 *
 * @remarks
 * `mean_t max(0, m - (z_(K) - z_(K+1)))`, z_(k) the k-th largest score of the token.
 *
 * @param logits - router scores `[T,E]`.
 * @returns Scalar ≥ 0, in the unit of the scores; the caller disposes it.
 * @throws {@link ShapeError} {@link ArgumentError} if an argument is out of range.
 *
 * @example
 * routerMargin(tensor2d([[3, 2.5, 0]])); // 1 - 0.5
 */
export function routerMargin(logits: Tensor2D, options: RouterMarginOptions = {}): Scalar {
  expectKnownKeys('routerMargin', options, ['topK', 'margin', 'mask']);
  const { topK = 1, margin = 1, mask } = options;
  const { T, E } = expectShape('routerMargin', { logits }, ['T', 'E']);
  expectInteger('routerMargin', 'topK', topK, 1, E - 1);
  expectNumber('routerMargin', 'margin', margin, 0);
  if (mask !== undefined) expectShape('routerMargin', { mask }, [T]);
  return tidy(() => {
    const lead = sum(mul(logits, sub(thresholdMask(logits, topK), thresholdMask(logits, topK + 1))), 1);
    return meanOfTokens(relu(sub(margin, lead)) as Tensor1D, mask);
  });
}
