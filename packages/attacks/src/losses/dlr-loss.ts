import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { topKIndices } from '@moe/core';
import { cwRow } from './cw-loss.js';
import { type RowLoss, perExample } from './row-loss.js';

const TINY = 1e-12; // Croce & Hein 2020, released code

/** Difference of logits ratio of one row; the margin itself for two classes. */
export const dlrRow: RowLoss = (logits, from, classes, label, direction, row) => {
  const { loss: gap } = cwRow(logits, from, classes, label, direction, row);
  if (classes < 3) return { loss: gap, scale: 1 };
  const [first, , third] = topKIndices(logits.subarray(from, from + classes), classes, 3) as unknown as [number, number, number];
  const spread = logits[from + first]! - logits[from + third]! + TINY;
  // ∂(gap / spread) = (∂gap − gap / spread · ∂spread) / spread
  direction[from + first]! -= gap / spread;
  direction[from + third]! += gap / spread;
  return { loss: gap / spread, scale: 1 / spread };
};

/**
 * Difference of logits ratio per example, invariant to shifting and scaling the logits.
 *
 * @remarks
 * `−(z_y − max_{j≠y} z_j) / (z_(1) − z_(3) + 1e-12)`, eq. (6) of Croce & Hein. In [−1, 0] where correctly classified.
 * Two classes have no third logit: there it is {@link cwLoss}.
 *
 * @param logits - `[B,M]`, M ≥ 2.
 * @param labels - true classes `[B]`, int32.
 * @returns Losses `[B]`, no unit; the caller disposes them.
 * @throws {@link ShapeError} {@link ArgumentError} if shapes disagree or a label is out of range.
 * @see {@link https://arxiv.org/abs/2003.01690 | Croce & Hein 2020}, Sec. 4.
 *
 * @example
 * const loss = dlrLoss(tensor2d([[3, 1, 0.5, -1]]), tensor1d([0], 'int32')); // [-0.8]
 */
export function dlrLoss(logits: Tensor2D, labels: Tensor1D): Tensor1D {
  return perExample('dlrLoss', dlrRow, logits, labels);
}
