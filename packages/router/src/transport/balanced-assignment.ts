// Shapes: T rows, E columns. Everything here is on the host.
import { expectArgument } from '@moe/core';

/**
 * Assigns every row to one column, no column more than `⌈T/E⌉` rows, with the largest possible sum of scores.
 *
 * @remarks
 * Exact, by successive shortest paths over the columns: rows come one after the other, and each may push others from column to column where that costs
 * least. O(T·E·(E² + T/E)).
 *
 * @param scores     - `[T,E]` row-major, finite.
 * @param numColumns - E.
 * @returns Column of each row, `[T]`.
 * @throws {@link ArgumentError} if there is half a row.
 * @see {@link https://arxiv.org/abs/2103.16716 | Lewis et al. 2021} (BASE layers) for the problem; they solve it by auction.
 */
export function balancedAssignment(scores: ArrayLike<number>, numColumns: number): Int32Array {
  const numRows = scores.length / numColumns;
  expectArgument('balancedAssignment', 'scores', Number.isInteger(numRows), `have rows of ${numColumns} entries`, scores.length);
  const room = Math.ceil(numRows / numColumns);
  const score = (row: number, column: number): number => scores[row * numColumns + column]!;
  const held: number[][] = Array.from({ length: numColumns }, () => []);

  for (let row = 0; row < numRows; row++) {
    const { gain, from, mover } = bestGains(row);
    let end = -1;
    for (let column = 0; column < numColumns; column++) if (held[column]!.length < room && (end < 0 || gain[column]! > gain[end]!)) end = column;
    // Walk back: each column on the path hands one row to the next, and the new row enters at its start.
    for (let column = end; ; ) {
      const previous = from[column]!;
      if (previous < 0) {
        held[column]!.push(row);
        break;
      }
      const moved = mover[column]!;
      held[column]!.push(moved);
      held[previous]!.splice(held[previous]!.indexOf(moved), 1);
      column = previous;
    }
  }
  const result = new Int32Array(numRows);
  held.forEach((rows, column) => rows.forEach((row) => (result[row] = column)));
  return result;

  /** Largest gain of letting `row` in so that column c ends with one more row (Bellman-Ford); where the path came from, and the row that moves. */
  function bestGains(entering: number): { gain: Float64Array; from: Int32Array; mover: Int32Array } {
    const gain = Float64Array.from({ length: numColumns }, (_, column) => score(entering, column));
    const from = new Int32Array(numColumns).fill(-1);
    const mover = new Int32Array(numColumns);
    for (let changed = true; changed; ) {
      changed = false;
      for (let a = 0; a < numColumns; a++) {
        for (let b = 0; b < numColumns; b++) {
          if (a === b) continue;
          for (const candidate of held[a]!) {
            const reached = gain[a]! - score(candidate, a) + score(candidate, b);
            // Rounding must not start a circle.
            if (reached > gain[b]! + 1e-12 * (1 + Math.abs(reached))) {
              gain[b] = reached;
              from[b] = a;
              mover[b] = candidate;
              changed = true;
            }
          }
        }
      }
    }
    return { gain, from, mover };
  }
}
