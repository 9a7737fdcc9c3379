// Shapes: B batch, M classes.
import type { RowLoss } from './row-loss.js';

/** Log of the softmax of one row, in double precision. */
function logSoftmax(logits: Float32Array, from: number, classes: number): Float64Array {
  const row = Float64Array.from(logits.subarray(from, from + classes));
  const most = row.reduce((a, b) => Math.max(a, b));
  const total = Math.log(row.reduce((sum, z) => sum + Math.exp(z - most), 0)) + most;
  return row.map((z) => z - total);
}

/**
 * How far a row's distribution has moved from that of the clean input: `Σ p_j (log p_j − log q_j)`, with gradient q − p; asks for no label.
 *
 * @param clean - logits of the clean inputs, row-major `[B,M]` of the batch that is attacked.
 * @see {@link https://arxiv.org/abs/1901.08573 | Zhang et al. 2019}, eq. (5).
 */
export function klRow(clean: Float32Array): RowLoss {
  return (logits, from, classes, _, direction, row) => {
    const before = logSoftmax(clean, row * classes, classes);
    const now = logSoftmax(logits, from, classes);
    let loss = 0;
    for (let j = 0; j < classes; j++) {
      const p = Math.exp(before[j]!);
      loss += p * (before[j]! - now[j]!);
      direction[from + j] = Math.exp(now[j]!) - p;
    }
    return { loss, scale: 1 };
  };
}
