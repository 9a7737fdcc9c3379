import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { type RowLoss, argMaxExcept, perExample } from './row-loss.js';

/** Cross entropy of one row: `log(1 + Σ_{j≠y} e^{z_j − z_y})`; its gradient is (1 − p_y) · (softmax over the wrong classes − e_y). */
export const ceRow: RowLoss = (logits, from, classes, label, direction) => {
  const truth = logits[from + label]!;
  const rival = logits[from + argMaxExcept(logits, from, classes, label)]!;
  let wrong = 0; // Σ over the wrong classes of e^{z_j − rival}, in [1, M − 1]
  for (let j = 0; j < classes; j++) if (j !== label) wrong += direction[from + j] = Math.exp(logits[from + j]! - rival);
  for (let j = 0; j < classes; j++) direction[from + j]! /= wrong;
  direction[from + label] = -1;
  const gap = rival - truth;
  const shift = Math.max(0, gap);
  const odds = wrong * Math.exp(gap - shift);
  return { loss: shift + Math.log1p(odds + Math.expm1(-shift)), scale: odds / (odds + Math.exp(-shift)) };
};

/**
 * Cross entropy per example, without cancellation.
 *
 * @remarks
 * `log(1 + Σ_{j≠y} e^{z_j − z_y})`, through log1p and expm1. Differs from `logSoftmax` in float32, whose gradient is 0 once the true logit
 * leads by 17: value and gradient are exact until the lead passes 87.
 *
 * @param logits - `[B,M]`, not softmaxed, M ≥ 2.
 * @param labels - true classes `[B]`, int32.
 * @returns Losses `[B]`, ≥ 0, in nats; the caller disposes them.
 * @throws {@link ShapeError} {@link ArgumentError} if shapes disagree or a label is out of range.
 *
 * @example
 * const loss = ceLoss(tensor2d([[2, 2]]), tensor1d([0], 'int32')); // [log 2]
 */
export function ceLoss(logits: Tensor2D, labels: Tensor1D): Tensor1D {
  return perExample('ceLoss', ceRow, logits, labels);
}
