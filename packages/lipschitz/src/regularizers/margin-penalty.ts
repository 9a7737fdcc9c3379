// Shapes: B batch, M classes.
import { type Scalar, type Tensor1D, type Tensor2D, cast, div, max, mean, mul, oneHot, relu, sub, sum, tidy } from '@tensorflow/tfjs-core';
import { expectKnownKeys, expectNumber, expectShape } from '@moe/core';

/** Options of {@link marginPenalty}. */
export interface MarginPenaltyOptions {
  /** L2 radius to be certified, in input units. */
  readonly radius: number;
  /** Lipschitz constant of the logits in L2: 1 of a network of 1-Lipschitz layers, or a differentiable product of {@link gramNorm}, through which the gradient then flows. @defaultValue 1 */
  readonly lipschitz?: number | Scalar;
}

/** Far below every logit. */
const NONE = 1e9;

/**
 * How much of a radius the certificates of a batch lack: `mean_b max(0, radius − margin_b / (√2 L))`.
 *
 * @remarks
 * The margin is that of the true class over the largest other, so `margin / (√2 L)` is what {@link certifiedRadius} certifies, and less than 0 where the class is wrong. With L in the loss a network
 * cannot win by scaling its logits. No gradient comes from examples that have the radius already.
 *
 * @param logits - `[B,M]`.
 * @param labels - true classes `[B]`, int32.
 * @returns Scalar ≥ 0 in input units, differentiable in logits and constant; the caller disposes it.
 * @throws {@link ShapeError} {@link ArgumentError} if shapes disagree or an option breaks its rule.
 * @see {@link https://arxiv.org/abs/1802.04034 | Tsuzuku et al. 2018}. Differs from it: a hinge instead of margins added to logits.
 *
 * @example
 * const loss = marginPenalty(logits, labels, { radius: 0.5, lipschitz: mul(gramNorm(first), gramNorm(second)) });
 */
export function marginPenalty(logits: Tensor2D, labels: Tensor1D, options: MarginPenaltyOptions): Scalar {
  const caller = 'marginPenalty';
  expectKnownKeys(caller, options, ['radius', 'lipschitz']);
  const { radius, lipschitz = 1 } = options;
  expectNumber(caller, 'radius', radius, 0);
  if (typeof lipschitz === 'number') expectNumber(caller, 'lipschitz', lipschitz, Number.MIN_VALUE);
  const { B, M } = expectShape(caller, { logits }, ['B', 'M']);
  expectShape(caller, { labels }, ['B'], { B });
  return tidy(() => {
    const truth = cast(oneHot(labels, M), 'float32');
    const margins = sub(sum(mul(logits, truth), 1), max(sub(logits, mul(truth, NONE)), 1));
    return mean(relu(sub(radius, div(div(margins, Math.SQRT2), lipschitz)))) as Scalar;
  });
}
