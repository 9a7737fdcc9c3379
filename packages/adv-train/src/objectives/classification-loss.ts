// Shapes: B batch, M classes.
import '../gradients.js';
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, add, cast, logSoftmax, mean, mul, neg, oneHot, sum, tidy } from '@tensorflow/tfjs-core';
import { type MoeModel, type Rng, expectShape } from '@moe/core';
import type { ObjectiveLoss } from './objective.js';

/**
 * Mean cross-entropy of logits, stable for logits of any size.
 *
 * @remarks
 * `-1/B · Σ_b log softmax(logits_b)[label_b]`, with the largest logit subtracted before the exponential.
 *
 * @param logits - `[B,M]`, not softmaxed.
 * @param labels - true classes `[B]`, int32 in `[0, M)`; a label outside would count as a loss of 0.
 * @returns Scalar ≥ 0 in nats; the caller disposes it.
 * @throws {@link ShapeError} if ranks or batch sizes disagree.
 *
 * @example
 * const loss = crossEntropy(tensor2d([[0, 0]]), tensor1d([1], 'int32')); // ln 2
 */
export function crossEntropy(logits: Tensor2D, labels: Tensor1D): Scalar {
  const { B, M } = expectShape('crossEntropy', { logits }, ['B', 'M']);
  expectShape('crossEntropy', { labels }, ['B'], { B });
  // The wasm engine writes integers whatever dtype oneHot is asked for, hence the cast.
  return tidy(() => neg(mean(sum(mul(cast(oneHot(labels, M), 'float32'), logSoftmax(logits)), 1))) as Scalar);
}

/** Cross-entropy of a training pass plus the model's balance losses, which are already weighted. */
export function classificationLoss(model: MoeModel, inputs: Tensor, labels: Tensor1D, rng: Rng): ObjectiveLoss {
  const { logits, routing, auxLoss } = model.forward(inputs, { training: true, rng });
  const ce = crossEntropy(logits, labels);
  return { total: add(ce, auxLoss) as Scalar, terms: { ce, aux: auxLoss }, logits, routing };
}
