// Shapes: T tokens, E experts.
import { type Scalar, type Tensor2D, add, log, mul, sum, tidy } from '@tensorflow/tfjs-core';
import { expectLossShapes, maskedMean } from '../internal/masked.js';
import type { BalanceLossOptions } from './balance-loss.js';

// What the released code adds to the importance.
const TINY = 1e-10;

/**
 * Kullback-Leibler divergence of the experts' share of the combine weights from an even share.
 *
 * @remarks
 * `Σ p_e ln(p_e E)` with `p_e = mean_t w_te`, w the weights of the chosen experts; 0 when balanced, ln E when one expert takes all. Uses `options.combineWeights`, and the gates where there are none.
 *
 * @param gates      - softmaxed router scores `[T,E]`.
 * @param assignment - `[T,E]`; not used, part of every balance loss.
 * @returns Scalar ≥ 0 for weights that sum to 1, nats; the caller disposes it.
 * @throws {@link ShapeError} if the shapes differ.
 * @see {@link https://arxiv.org/abs/2204.10598 | Pavlitska et al. 2023}
 */
export function importanceKlLoss(gates: Tensor2D, assignment: Tensor2D, { mask, combineWeights = gates }: BalanceLossOptions = {}): Scalar {
  const { E } = expectLossShapes('importanceKlLoss', gates, assignment, mask);
  return tidy(() => {
    const share = add(maskedMean(combineWeights, mask), TINY);
    return sum(mul(share, log(mul(share, E)))) as Scalar;
  });
}
