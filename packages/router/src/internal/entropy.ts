import { type Tensor, log, maximum, mul, neg, sum, tidy } from '@tensorflow/tfjs-core';

// Below float32's resolution of a probability, and far above the numbers whose logarithm overflows.
const TINY = 1e-12;

/** Entropy in nats along the last axis; 0 · ln 0 counts as 0, and its gradient stays finite. */
export function entropy(probabilities: Tensor): Tensor {
  return tidy(() => neg(sum(mul(probabilities, log(maximum(probabilities, TINY))), -1)));
}
