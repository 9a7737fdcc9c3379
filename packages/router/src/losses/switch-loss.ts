// Shapes: T tokens, E experts.
import { stopGradient } from '@moe/core';
import { type Scalar, type Tensor2D, mul, sub, sum, tidy } from '@tensorflow/tfjs-core';
import { expectLossShapes, maskedMean } from '../internal/masked.js';
import type { BalanceLossOptions } from './balance-loss.js';

/**
 * Load-balancing loss of the Switch Transformer.
 *
 * @remarks
 * `E · Σₑ fₑ Pₑ`, eq. (4) of Fedus et al.: fₑ is the share of tokens sent to expert e (no gradient), Pₑ the mean gate of e.
 * 1 when both are uniform, E when one expert takes all. Differs from *Robust Experts*, which subtracts 1; see {@link centredSwitchLoss}.
 *
 * @param gates      - softmaxed router scores `[T,E]`.
 * @param assignment - one-hot of each token's first choice `[T,E]`.
 * @returns Scalar ≥ 0, no unit; the caller disposes it.
 * @throws {@link ShapeError} if the shapes differ.
 * @see {@link https://arxiv.org/abs/2101.03961 | Fedus et al. 2022}, Sec. 2.2.
 *
 * @example
 * const loss = switchLoss(gates, assignment); // 1 for a balanced router
 */
export function switchLoss(gates: Tensor2D, assignment: Tensor2D, { mask }: BalanceLossOptions = {}): Scalar {
  const { E } = expectLossShapes('switchLoss', gates, assignment, mask);
  return tidy(() => {
    const share = stopGradient(maskedMean(assignment, mask));
    const meanGate = maskedMean(gates, mask);
    return mul(sum(mul(share, meanGate)), E) as Scalar;
  });
}

/**
 * {@link switchLoss} minus 1, as *Robust Experts* defines its switch loss: 0 when balanced, E - 1 when one expert takes all.
 *
 * @param gates      - softmaxed router scores `[T,E]`.
 * @param assignment - one-hot of each token's first choice `[T,E]`.
 * @returns Scalar, no unit; the caller disposes it.
 * @throws {@link ShapeError} if the shapes differ.
 * @see {@link https://arxiv.org/abs/2509.05086 | Pavlitska et al. 2025}, L_switch.
 */
export function centredSwitchLoss(gates: Tensor2D, assignment: Tensor2D, { mask }: BalanceLossOptions = {}): Scalar {
  expectLossShapes('centredSwitchLoss', gates, assignment, mask);
  return tidy(() => sub(switchLoss(gates, assignment, mask === undefined ? {} : { mask }), 1));
}
