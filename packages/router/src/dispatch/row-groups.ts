// Shapes: N rows that are copied, W numbers per row.
import { type Tensor, type Tensor2D, customGrad, gatherND, scatterND, tensor2d, tidy } from '@tensorflow/tfjs-core';

// Made where they are used: an index tensor of the forward pass is gone when the gradient runs.
const asIndices = (rows: Int32Array): Tensor2D => tensor2d(rows, [rows.length, 1], 'int32');

/** Copies rows, `[·,W] → [N,W]`; a row may be copied several times or never. By `GatherND`, because stock wasm's `GatherV2` is 80 times slower. */
export function pickRows(rows: Tensor2D, source: Int32Array): Tensor2D {
  return customGrad(() => ({
    value: tidy(() => gatherND(rows, asIndices(source))),
    gradFunc: (dy) => placeRows(dy as Tensor2D, source, rows.shape[0]),
  }))(rows) as Tensor2D;
}

/** Adds up rows where they belong, `[N,W] → [numRows,W]`; the adjoint of {@link pickRows}. */
export function placeRows(slots: Tensor2D, target: Int32Array, numRows: number): Tensor2D {
  return customGrad(() => ({
    value: tidy(() => {
      const source = inverseOf(target, numRows);
      // To copy whole rows is twice as fast as to add them to zeros.
      return source === undefined ? (scatterND(asIndices(target), slots, [numRows, slots.shape[1]]) as Tensor) : gatherND(slots, asIndices(source));
    }),
    gradFunc: (dy) => pickRows(dy as Tensor2D, target),
  }))(slots) as Tensor2D;
}

/** The inverse of a permutation; `undefined` if `target` is none. */
function inverseOf(target: Int32Array, numRows: number): Int32Array | undefined {
  if (target.length !== numRows) return undefined;
  const source = new Int32Array(numRows).fill(-1);
  target.forEach((row, slot) => (source[row] = slot));
  return source.includes(-1) ? undefined : source;
}
