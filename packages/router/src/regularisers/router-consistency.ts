// Shapes: N pairs of tokens, E experts.
import { expectKnownKeys, expectNumber, expectShape } from '@moe/core';
import { type Scalar, type Tensor1D, type Tensor2D, add, div, expandDims, eye, matMul, maximum, mul, square, sub, sum, tidy, transpose } from '@tensorflow/tfjs-core';

export interface RouterConsistencyOptions {
  /** Weight of the diagonal, which asks for even and confident use. @defaultValue 0.005 */
  readonly diagonal?: number;
  /** Weight of the rest, which asks both views for the same expert. @defaultValue 0.05 */
  readonly offDiagonal?: number;
  /** Pairs that count, `[N]`, 1 or 0. @defaultValue all */
  readonly mask?: Tensor1D;
}

/**
 * Pairwise router consistency: corresponding tokens of two views should choose the same expert, and all experts be used.
 *
 * @remarks
 * `C = (E/N) Σ_n a_n b_nᵀ`; `λ_d · mean_i (C_ii - 1)² + λ_o · mean_{i≠j} C_ij²`. 0 for identical one-hot gates that are used evenly; `λ_d (1 - 1/E)² + λ_o / E²` for uniform
 * gates. In the source it replaces all other balance losses. Views may be augmentations, noise, or an input and its attack.
 *
 * @param gates  - softmaxed router scores of the first view, `[N,E]`.
 * @param others - those of the second, row by row the same tokens.
 * @returns Scalar ≥ 0, no unit; the caller disposes it. The gradient flows into both.
 * @throws {@link ShapeError} {@link ArgumentError} if shapes differ or a weight is negative.
 * @see Kada et al. 2025, "Robustifying Routers Against Input Perturbations for Sparse Mixture-of-Experts Vision Transformers", IEEE OJSP.
 */
export function routerConsistency(gates: Tensor2D, others: Tensor2D, options: RouterConsistencyOptions = {}): Scalar {
  expectKnownKeys('routerConsistency', options, ['diagonal', 'offDiagonal', 'mask']);
  const { diagonal = 0.005, offDiagonal = 0.05, mask } = options;
  const { N, E } = expectShape('routerConsistency', { gates, others }, ['N', 'E']);
  if (mask !== undefined) expectShape('routerConsistency', { mask }, [N]);
  expectNumber('routerConsistency', 'diagonal', diagonal, 0);
  expectNumber('routerConsistency', 'offDiagonal', offDiagonal, 0);
  return tidy(() => {
    const counted = mask === undefined ? gates : mul(gates, expandDims(mask, 1));
    const pairs = mask === undefined ? N : maximum(sum(mask), 1);
    const correlation = mul(div(matMul(transpose(counted), others), pairs), E);
    const identity = eye(E);
    const onDiagonal = div(sum(square(mul(sub(correlation, 1), identity))), E);
    const off = div(sum(square(mul(correlation, sub(1, identity)))), Math.max(E * (E - 1), 1));
    return add(mul(onDiagonal, diagonal), mul(off, offDiagonal)) as Scalar;
  });
}
