// Shapes: B batch, M classes.
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { expectLabels, expectShape, topKIndices } from '@moe/core';
import { type RowLoss, perExample } from './row-loss.js';

const TINY = 1e-12; // Croce & Hein 2020, released code

/** How far a target class is ahead of the true one: their gap, or the gap over a spread of the logits. */
export type TargetedLossName = 'cw' | 'dlr';

/**
 * Loss of rows that each have a target of their own.
 *
 * @param targets - class that row i is to be taken for, by its number in the attacked batch.
 */
export function targetedRow(kind: TargetedLossName, targets: ArrayLike<number>): RowLoss {
  return (logits, from, classes, label, direction, row) => {
    const target = targets[row]!;
    direction.fill(0, from, from + classes);
    direction[from + target]! += 1;
    direction[from + label]! -= 1;
    const gap = logits[from + target]! - logits[from + label]!;
    if (kind === 'cw' || classes < 4) return { loss: gap, scale: 1 };
    const [first, , third, fourth] = topKIndices(logits.subarray(from, from + classes), classes, 4) as unknown as [number, number, number, number];
    const spread = logits[from + first]! - (logits[from + third]! + logits[from + fourth]!) / 2 + TINY;
    // ∂(gap / spread) = (∂gap − gap / spread · ∂spread) / spread
    const loss = gap / spread;
    direction[from + first]! -= loss;
    direction[from + third]! += loss / 2;
    direction[from + fourth]! += loss / 2;
    return { loss, scale: 1 / spread };
  };
}

/**
 * Targeted difference of logits ratio per example.
 *
 * @remarks
 * `-(z_y - z_t) / (z_(1) - (z_(3) + z_(4))/2 + 1e-12)`, eq. (7) of Croce & Hein. With fewer than four classes there is no fourth logit, and it is the gap `z_t - z_y`.
 *
 * @param logits  - `[B,M]`, M ≥ 2.
 * @param labels  - true classes `[B]`, int32.
 * @param targets - classes to be taken for, `[B]`, int32.
 * @returns Losses `[B]`, no unit; the caller disposes them.
 * @throws {@link ShapeError} {@link ArgumentError} if shapes disagree or a class is out of range.
 * @see {@link https://arxiv.org/abs/2003.01690 | Croce & Hein 2020}, Sec. 4.
 *
 * @example
 * const loss = targetedDlrLoss(tensor2d([[3, 1, 0.5, -1]]), tensor1d([0], 'int32'), tensor1d([2], 'int32')); // [-0.769]
 */
export function targetedDlrLoss(logits: Tensor2D, labels: Tensor1D, targets: Tensor1D): Tensor1D {
  const { B, M } = expectShape('targetedDlrLoss', { logits }, ['B', 'M']);
  expectShape('targetedDlrLoss', { targets }, ['B'], { B });
  expectLabels('targetedDlrLoss', targets, M);
  return perExample('targetedDlrLoss', targetedRow('dlr', targets.dataSync()), logits, labels);
}
