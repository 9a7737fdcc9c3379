// Shapes: T tokens, E experts.
import { expectShape } from '@moe/core';
import { type Scalar, type Tensor1D, type Tensor2D, log, maximum, mul, sub, sum, tidy } from '@tensorflow/tfjs-core';
import { meanOfTokens } from '../internal/masked.js';

// Below float32's resolution of a probability, and far above the numbers whose logarithm overflows.
const TINY = 1e-12;

/**
 * Mean Kullback-Leibler divergence of two gates of the same tokens, such as those of clean and of attacked inputs.
 *
 * @remarks
 * `mean_t Σₑ r_te ln(r_te / r'_te)` in nats; 0 when an attack does not move the router. The router's term in the TRADES loss of AdvMoE.
 *
 * @param gates  - r, softmaxed router scores `[T,E]`.
 * @param others - r', of the same tokens.
 * @returns Scalar ≥ 0, nats; the caller disposes it. The gradient flows into both.
 * @throws {@link ShapeError} if the shapes differ.
 * @see {@link https://arxiv.org/abs/2308.10110 | Zhang et al. 2023}
 */
export function routerKl(gates: Tensor2D, others: Tensor2D, { mask }: { readonly mask?: Tensor1D } = {}): Scalar {
  const { T } = expectShape('routerKl', { gates, others }, ['T', 'E']);
  if (mask !== undefined) expectShape('routerKl', { mask }, [T]);
  return tidy(() => {
    const ratio = sub(log(maximum(gates, TINY)), log(maximum(others, TINY)));
    return meanOfTokens(sum(mul(gates, ratio), 1) as Tensor1D, mask);
  });
}
