// Shapes: T rows, n rows of one group, W numbers per row.
import { type Tensor, type Tensor2D, clone, concat, customGrad, gatherND, scalar, scatterND, tensor2d, tidy } from '@tensorflow/tfjs-core';

// Made where they are used: an index tensor of the forward pass is gone when the gradient runs.
const asIndices = (rows: Int32Array): Tensor2D => tensor2d(rows, [rows.length, 1], 'int32');

/**
 * Copies rows into groups, `[T,W] → [n,W]` each; a row may be in several groups or in none.
 *
 * @remarks
 * tfjs differentiates functions of one output only, so a scalar link stands between the rows and their groups: each group leaves its
 * gradient in `received`, and the link, which the tape visits after all of them, joins them in one go. The usual way, a gradient of full
 * size from each group, would cost as many passes over the rows as there are groups.
 *
 * `GatherND`, because wasm's `GatherV2` is 80 times slower, and its `Slice` (and so `split`) copies the whole tensor for each slice.
 */
export function groupRows(rows: Tensor2D, groups: readonly Int32Array[]): Tensor2D[] {
  const received = new Map<Int32Array, Tensor2D>();
  const link = customGrad(() => ({ value: scalar(0), gradFunc: () => placeRows(concatGroups([...received.values()]), joinLists([...received.keys()]), rows.shape[0]) }))(rows);
  return groups.map(
    (group) =>
      customGrad(() => ({
        value: tidy(() => gatherND(rows, asIndices(group))),
        gradFunc: (dy) => {
          received.set(group, dy as Tensor2D);
          return scalar(0);
        },
      }))(link) as Tensor2D,
  );
}

/** Puts groups of rows one after the other, `[n,W]` each `→ [N,W]`. */
export function concatGroups(parts: readonly Tensor2D[]): Tensor2D {
  return customGrad(() => ({
    value: parts.length === 1 ? clone(parts[0]!) : concat([...parts], 0),
    gradFunc: (dy) => {
      let end = 0;
      return groupRows(
        dy as Tensor2D,
        parts.map(({ shape: [length] }) => Int32Array.from({ length }, () => end++)),
      );
    },
  }))(...parts) as Tensor2D;
}

/** Adds up rows where they belong, `[N,W] → [numRows,W]`; the adjoint of {@link groupRows}. */
export function placeRows(slots: Tensor2D, target: Int32Array, numRows: number): Tensor2D {
  return customGrad(() => ({
    value: tidy(() => {
      const source = inverseOf(target, numRows);
      // To copy whole rows is twice as fast as to add them to zeros.
      return source === undefined ? (scatterND(asIndices(target), slots, [numRows, slots.shape[1]]) as Tensor) : gatherND(slots, asIndices(source));
    }),
    gradFunc: (dy) => groupRows(dy as Tensor2D, [target])[0]!,
  }))(slots) as Tensor2D;
}

/** The inverse of a permutation; `undefined` if `target` is none. */
function inverseOf(target: Int32Array, numRows: number): Int32Array | undefined {
  if (target.length !== numRows) return undefined;
  const source = new Int32Array(numRows).fill(-1);
  target.forEach((row, slot) => (source[row] = slot));
  return source.includes(-1) ? undefined : source;
}

/** Several lists of rows in one. */
export function joinLists(lists: readonly Int32Array[]): Int32Array {
  const joined = new Int32Array(lists.reduce((total, { length }) => total + length, 0));
  let end = 0;
  for (const list of lists) {
    joined.set(list, end);
    end += list.length;
  }
  return joined;
}
