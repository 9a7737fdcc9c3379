// Shapes: N rows, M classes.
import { type Scalar, type Tensor2D, exp, logSoftmax, mean, mul, sub, sum, tidy } from '@tensorflow/tfjs-core';

/** Mean over rows of `KL(softmax(logits) ‖ softmax(others))` in nats, both `[N,M]`; the gradient flows into both. */
export function divergence(logits: Tensor2D, others: Tensor2D): Scalar {
  return tidy(() => {
    const [before, now] = [logSoftmax(logits), logSoftmax(others)];
    return mean(sum(mul(exp(before), sub(before, now)), 1)) as Scalar;
  });
}
