// Shapes: B batch, M classes.
import '../gradients.js';
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, add, cast, logSoftmax, mean, mul, neg, oneHot, sum, tidy } from '@tensorflow/tfjs-core';
import { type MoeModel, type Rng, expectKnownKeys, expectNumber, expectShape } from '@moe/core';
import type { ObjectiveLoss } from './objective.js';

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions {
  /**
   * Share s of each target that is spread evenly over all classes, the true one included: `1 − s + s/M` there and `s/M` elsewhere, as in PyTorch. Codes that spread it over the wrong classes alone,
   * such as that of Pang et al., write `s·(M − 1)/M` for it. @defaultValue 0
   */
  readonly labelSmoothing?: number;
}

/** Rows with 1 at the label and 0 elsewhere, `[B,M]` float32. */
export const oneHotLabels = (labels: Tensor1D, classes: number): Tensor2D =>
  // The wasm engine writes integers whatever dtype oneHot is asked for, hence the cast.
  tidy(() => cast(oneHot(labels, classes), 'float32') as Tensor2D);

/**
 * Mean cross-entropy of logits, stable for logits of any size.
 *
 * @remarks
 * `-1/B · Σ_b Σ_j t_bj log softmax(logits_b)_j` with t the one-hot label, or that label smoothed; the largest logit is subtracted before the exponential.
 *
 * @param logits - `[B,M]`, not softmaxed.
 * @param labels - true classes `[B]`, int32 in `[0, M)`; without smoothing a label outside would count as a loss of 0.
 * @returns Scalar ≥ 0 in nats; the caller disposes it.
 * @throws {@link ShapeError} if ranks or batch sizes disagree, {@link ArgumentError} if the smoothing is not in [0, 1].
 * @see {@link https://arxiv.org/abs/1512.00567 | Szegedy et al. 2016}, Sec. 7, for the smoothing.
 *
 * @example
 * const loss = crossEntropy(tensor2d([[0, 0]]), tensor1d([1], 'int32')); // ln 2
 */
export function crossEntropy(logits: Tensor2D, labels: Tensor1D, options: CrossEntropyOptions = {}): Scalar {
  expectKnownKeys('crossEntropy', options, ['labelSmoothing']);
  const { labelSmoothing = 0 } = options;
  expectNumber('crossEntropy', 'labelSmoothing', labelSmoothing, 0, 1);
  const { B, M } = expectShape('crossEntropy', { logits }, ['B', 'M']);
  expectShape('crossEntropy', { labels }, ['B'], { B });
  return tidy(() => {
    const truth = oneHotLabels(labels, M);
    const targets = labelSmoothing === 0 ? truth : add(mul(truth, 1 - labelSmoothing), labelSmoothing / M);
    return neg(mean(sum(mul(targets, logSoftmax(logits)), 1))) as Scalar;
  });
}

/** How the loss of a training pass is put together. */
export interface LossWeights {
  readonly labelSmoothing: number;
  /** Factor of the model's balance losses. */
  readonly auxWeight: number;
}

/** Cross-entropy of a training pass plus the model's balance losses, which are already weighted. */
export function classificationLoss(model: MoeModel, inputs: Tensor, labels: Tensor1D, rng: Rng, { labelSmoothing, auxWeight }: LossWeights): ObjectiveLoss {
  const { logits, routing, auxLoss } = model.forward(inputs, { training: true, rng });
  const ce = crossEntropy(logits, labels, { labelSmoothing });
  const aux = mul<Scalar>(auxLoss, auxWeight);
  return { total: add(ce, aux), terms: { ce, aux }, logits, routing };
}
