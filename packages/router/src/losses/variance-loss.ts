// Shapes: T tokens, E experts.
import { type Scalar, type Tensor2D, add, div, expandDims, maximum, mean, mul, sqrt, square, sub, sum, tidy } from '@tensorflow/tfjs-core';
import { countOf, expectLossShapes, maskedMean } from '../internal/masked.js';
import type { BalanceLossOptions } from './balance-loss.js';
import { switchLoss } from './switch-loss.js';

// Keeps the slope of the square root finite where a gate does not vary at all.
const TINY = 1e-12;

/**
 * {@link switchLoss} minus the experts' mean standard deviation over tokens: also rewards gates that differ between tokens.
 *
 * @remarks
 * `E · Σₑ fₑ Pₑ - (1/E) Σₑ std_t(s_te)`, unbiased standard deviation. 1 for uniform gates. A single token has deviation 0.
 *
 * @param gates      - softmaxed router scores `[T,E]`.
 * @param assignment - one-hot of each token's first choice `[T,E]`.
 * @returns Scalar, no unit; the caller disposes it.
 * @throws {@link ShapeError} if the shapes differ.
 * @see The code released with {@link https://arxiv.org/abs/2509.05086 | Pavlitska et al. 2025}; the paper does not use it.
 */
export function varianceLoss(gates: Tensor2D, assignment: Tensor2D, options: BalanceLossOptions = {}): Scalar {
  const { mask } = options;
  const { T } = expectLossShapes('varianceLoss', gates, assignment, mask);
  return tidy(() => {
    const squares = square(sub(gates, maskedMean(gates, mask)));
    const total = mask === undefined ? sum(squares, 0) : sum(mul(squares, expandDims(mask, 1)), 0);
    const freedom = mask === undefined ? Math.max(T - 1, 1) : maximum(sub(countOf(mask), 1), 1);
    const deviation = sub(sqrt(add(div(total, freedom), TINY)), Math.sqrt(TINY));
    return sub(switchLoss(gates, assignment, options), mean(deviation));
  });
}
