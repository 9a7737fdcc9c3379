// Shapes: T tokens, E experts.
import { expectShape } from '@moe/core';
import { type Scalar, type Tensor2D, add, mean, relu, sqrt, square, sub, tidy } from '@tensorflow/tfjs-core';

/**
 * Hinge on the spread of the experts' outputs: asks for a standard deviation of at least 1 over experts.
 *
 * @remarks
 * `mean_t max(0, 1 - √(Var_e(a_te) + 1e-4))`, a the mean activation of an expert's output for a token, population variance. The released code of *Robust
 * Experts* offers it and fails when it is turned on; the formula is meant.
 *
 * @param activations - mean of each expert's output for each token, `[T,E]`.
 * @returns Scalar in [0, 1]; the caller disposes it.
 * @throws {@link ShapeError} if it is no matrix.
 * @see The code released with {@link https://arxiv.org/abs/2509.05086 | Pavlitska et al. 2025}; the paper does not use it.
 */
export function expertDiversity(activations: Tensor2D): Scalar {
  expectShape('expertDiversity', { activations }, ['T', 'E']);
  return tidy(() => {
    const variance = mean(square(sub(activations, mean(activations, 1, true))), 1);
    return mean(relu(sub(1, sqrt(add(variance, 1e-4)))));
  });
}
