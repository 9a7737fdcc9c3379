// Shapes: D features, E experts.
import { expectShape } from '@moe/core';
import { type Scalar, type Tensor2D, div, eye, matMul, maximum, norm, square, sub, sum, tidy, transpose } from '@tensorflow/tfjs-core';

/**
 * How far the directions of a linear router's experts are from orthogonal: `‖ŴᵀŴ - I‖_F² / (E(E-1))` with columns of length 1.
 *
 * @remarks
 * The mean squared cosine between two experts' directions: 0 when all are orthogonal, 1 when all are parallel.
 *
 * @param kernel - weight of a linear gate, `[D,E]`.
 * @returns Scalar in [0, 1]; the caller disposes it.
 * @throws {@link ShapeError} if it is no matrix.
 */
export function routerOrthogonality(kernel: Tensor2D): Scalar {
  const { E } = expectShape('routerOrthogonality', { kernel }, ['D', 'E']);
  return tidy(() => {
    const directions = div(kernel, maximum(norm(kernel, 2, 0, true), 1e-12)) as Tensor2D;
    return div(sum(square(sub(matMul(transpose(directions), directions), eye(E)))), Math.max(E * (E - 1), 1)) as Scalar;
  });
}
