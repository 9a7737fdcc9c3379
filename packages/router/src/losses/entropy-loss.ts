// Shapes: T tokens, E experts.
import { type Scalar, type Tensor1D, type Tensor2D, neg, sub, tidy } from '@tensorflow/tfjs-core';
import { entropy } from '../internal/entropy.js';
import { expectLossShapes, maskedMean, meanOfTokens } from '../internal/masked.js';
import type { BalanceLossOptions } from './balance-loss.js';

/**
 * Mean entropy of the tokens' gates minus the entropy of the mean gate: minus the mutual information of token and expert.
 *
 * @remarks
 * `mean_t H(s_t) - H(P)` in nats, in `[-ln E, 0]`. Smallest when every token is sure and the experts share the tokens evenly; 0 both for
 * uniform and for collapsed gates. Differs from the released code: `0 · ln 0` is 0 exactly, where that adds 1e-5 inside the logarithm.
 *
 * @param gates      - softmaxed router scores `[T,E]`.
 * @param assignment - one-hot of each token's first choice `[T,E]`; not used, part of every balance loss.
 * @returns Scalar, nats; the caller disposes it.
 * @throws {@link ShapeError} if the shapes differ.
 * @see {@link https://arxiv.org/abs/2509.05086 | Pavlitska et al. 2025}, L_ent.
 */
export function entropyLoss(gates: Tensor2D, assignment: Tensor2D, { mask }: BalanceLossOptions = {}): Scalar {
  expectLossShapes('entropyLoss', gates, assignment, mask);
  return tidy(() => {
    return sub(meanOfTokens(entropy(gates) as Tensor1D, mask), entropy(maskedMean(gates, mask)));
  });
}

/**
 * Minus the entropy of the mean gate: pulls the experts' average probabilities together and leaves single tokens alone.
 *
 * @remarks
 * `-H(P)` in nats, in `[-ln E, 0]`. Equals KL(P ‖ uniform) - ln E, so its gradient is that of the paper's L_KL.
 *
 * @param gates      - softmaxed router scores `[T,E]`.
 * @param assignment - one-hot of each token's first choice `[T,E]`; not used, part of every balance loss.
 * @returns Scalar, nats; the caller disposes it.
 * @throws {@link ShapeError} if the shapes differ.
 * @see {@link https://arxiv.org/abs/2509.05086 | Pavlitska et al. 2025}, L_KL ("column entropy" in its code).
 */
export function columnEntropyLoss(gates: Tensor2D, assignment: Tensor2D, { mask }: BalanceLossOptions = {}): Scalar {
  expectLossShapes('columnEntropyLoss', gates, assignment, mask);
  return tidy(() => neg(entropy(maskedMean(gates, mask)) as Scalar));
}
