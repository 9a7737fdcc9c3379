// Shapes: B batch, M classes.
import '../gradients.js';
import { type Tensor1D, type Tensor2D, exp, logSoftmax, mul, sub, sum, tidy } from '@tensorflow/tfjs-core';
import { expectShape } from '@moe/core';

/**
 * How far the distribution over the classes moves, for each row.
 *
 * @remarks
 * `KL(p ‖ q) = Σ_j p_j (log p_j − log q_j)` with p and q the softmax of the two arguments. The gradient flows into both; wrap one in `stopGradient` to hold it constant.
 *
 * @param before - logits `[B,M]` of p, not softmaxed.
 * @param after  - logits `[B,M]` of q.
 * @returns `[B]`, ≥ 0 in nats, exactly 0 where the logits are equal; the caller disposes it.
 * @throws {@link ShapeError} if the shapes differ.
 *
 * @example
 * const divergence = klDivergence(tensor2d([[0, 0]]), tensor2d([[0, Math.log(3)]])); // [ln(4/3) / 2] = [.1438]
 */
export function klDivergence(before: Tensor2D, after: Tensor2D): Tensor1D {
  expectShape('klDivergence', { before, after }, ['B', 'M']);
  return tidy(() => {
    const logP = logSoftmax(before);
    return sum(mul(exp(logP), sub(logP, logSoftmax(after))), 1);
  });
}
