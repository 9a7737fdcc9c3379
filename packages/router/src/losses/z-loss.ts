// Shapes: T tokens, E experts.
import { expectShape } from '@moe/core';
import { type Scalar, type Tensor1D, type Tensor2D, logSumExp, square, tidy } from '@tensorflow/tfjs-core';
import { meanOfTokens } from '../internal/masked.js';

/**
 * Mean squared log-partition of the router: keeps scores small, and with them the rounding errors of the softmax.
 *
 * @remarks
 * `mean_t (ln Σₑ exp z_te)²`; ST-MoE weights it with 1e-3. (ln E)² for scores of 0.
 *
 * @param logits - router scores before the softmax `[T,E]`.
 * @returns Scalar ≥ 0, nats²; the caller disposes it.
 * @throws {@link ShapeError} if the shapes differ.
 * @see {@link https://arxiv.org/abs/2202.08906 | Zoph et al. 2022}, eq. (5).
 */
export function zLoss(logits: Tensor2D, { mask }: { readonly mask?: Tensor1D } = {}): Scalar {
  const { T } = expectShape('zLoss', { logits }, ['T', 'E']);
  if (mask !== undefined) expectShape('zLoss', { mask }, [T]);
  return tidy(() => {
    return meanOfTokens(square(logSumExp(logits, 1)) as Tensor1D, mask);
  });
}
