// Shapes: B batch, M classes.
import { topKIndices } from '@moe/core';

/**
 * Classes to aim at, most likely first: of each row, those that are not its own, in the order of its logits.
 *
 * @param logits - row-major `[B,M]`.
 * @returns For each rank, the target of every row, `[B]`; M - 1 of them at most.
 */
export function rankTargets(logits: Float32Array, labels: Int32Array, count: number): Int32Array[] {
  const classes = logits.length / labels.length;
  const order = topKIndices(logits, classes, classes);
  const ranks = Math.min(count, classes - 1);
  const others = Array.from(labels, (label, row) => order.subarray(row * classes, (row + 1) * classes).filter((index) => index !== label));
  return Array.from({ length: ranks }, (_, rank) => Int32Array.from(others, (list) => list[rank]!));
}
