// Shapes: T tokens, E experts.
import { type Scalar, type Tensor2D, tidy } from '@tensorflow/tfjs-core';
import { expectLossShapes, maskedMean } from '../internal/masked.js';
import type { BalanceLossOptions } from './balance-loss.js';
import { squaredVariation } from './importance-loss.js';

/**
 * {@link importanceLoss} of the weights of the chosen experts in place of all gates, with the sample variance: the soft constraint of the predecessor of *Robust Experts*.
 *
 * @remarks
 * `Var_e(I) / mean_e(I)²` with `I_e = Σ_t w_te`, variance over E - 1; 0 when balanced, E when one expert takes all. Uses `options.combineWeights`, and the gates where there are none.
 *
 * @param gates      - softmaxed router scores `[T,E]`.
 * @param assignment - `[T,E]`; not used, part of every balance loss.
 * @returns Scalar ≥ 0, no unit; the caller disposes it.
 * @throws {@link ShapeError} if the shapes differ.
 * @see {@link https://arxiv.org/abs/2204.10598 | Pavlitska et al. 2023}, importance loss; the weight there is 0.5.
 */
export function sparseImportanceLoss(gates: Tensor2D, assignment: Tensor2D, { mask, combineWeights = gates }: BalanceLossOptions = {}): Scalar {
  expectLossShapes('sparseImportanceLoss', gates, assignment, mask);
  return tidy(() => squaredVariation(maskedMean(combineWeights, mask), 'sample'));
}
