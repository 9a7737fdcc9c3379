// Shapes: T rows, n rows of one group, W numbers per row.
import { type Tensor, type Tensor2D, concat, customGrad, gatherND, scalar, scatterND, tensor2d, tidy } from '@tensorflow/tfjs-core';

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
  const link = customGrad(() => ({ value: scalar(0), gradFunc: () => joinGroups([...received.values()], [...received.keys()], rows.shape[0]) }))(rows);
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

/** Adds up the rows of all groups where they belong, `[n,W]` each `→ [T,W]`; the adjoint of {@link groupRows}. */
export function joinGroups(parts: readonly Tensor2D[], groups: readonly Int32Array[], numRows: number): Tensor2D {
  return customGrad(() => ({
    value: tidy(() => {
      const slots = parts.length === 1 ? parts[0]! : concat([...parts], 0);
      const target = Int32Array.from(groups.flatMap((group) => Array.from(group)));
      return scatterND(asIndices(target), slots, [numRows, slots.shape[1]]) as Tensor;
    }),
    gradFunc: (dy) => groupRows(dy as Tensor2D, groups),
  }))(...parts) as Tensor2D;
}
