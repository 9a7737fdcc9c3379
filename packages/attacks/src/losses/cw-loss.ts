import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { type RowLoss, argMaxExcept, perExample } from './row-loss.js';

/** Negative margin of one row: `max_{j≠y} z_j − z_y`. */
export const cwRow: RowLoss = (logits, from, classes, label, direction) => {
  const rival = argMaxExcept(logits, from, classes, label);
  direction.fill(0, from, from + classes);
  direction[from + rival] = 1;
  direction[from + label] = -1;
  return { loss: logits[from + rival]! - logits[from + label]!, scale: 1 };
};

/**
 * Margin loss of Carlini & Wagner per example: `max_{j≠y} z_j − z_y`, positive when misclassified.
 *
 * @remarks Differs from `tf.max`: of tied classes only the first receives gradient.
 *
 * @param logits - `[B,M]`, M ≥ 2.
 * @param labels - true classes `[B]`, int32.
 * @returns Losses `[B]`, in logit units; the caller disposes them.
 * @throws {@link ShapeError} {@link ArgumentError} if shapes disagree or a label is out of range.
 * @see {@link https://arxiv.org/abs/1608.04644 | Carlini & Wagner 2017}, Sec. V.A, f₆ with κ = 0.
 *
 * @example
 * const loss = cwLoss(tensor2d([[3, 1]]), tensor1d([0], 'int32')); // [-2]
 */
export function cwLoss(logits: Tensor2D, labels: Tensor1D): Tensor1D {
  return perExample('cwLoss', cwRow, logits, labels);
}
