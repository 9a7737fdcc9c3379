// Shapes: T tokens (rows), K choices per row, E experts, N = rows that run.
import { expectArgument, expectInteger } from '@moe/core';
import type { Assignment } from './types.js';

/**
 * Groups the choices of all rows by expert, for {@link dispatch}.
 *
 * @remarks
 * A counting sort: O(T·K + E), stable, so each expert's rows stay in order.
 *
 * @param choices        - expert of each choice, row-major `[T,K]`; -1 for a choice that capacity dropped.
 * @param choicesPerRow  - K.
 * @param numExperts     - E.
 * @returns The assignment, on the host.
 * @throws {@link ArgumentError} if a choice is no expert, or a row names one twice.
 *
 * @example
 * assignRows([1, 0, 1], 1, 2); // tokenOfSlot [1, 0, 2], expertOffsets [0, 1, 3]
 */
export function assignRows(choices: ArrayLike<number>, choicesPerRow: number, numExperts: number): Assignment {
  expectInteger('assignRows', 'numExperts', numExperts, 1);
  expectInteger('assignRows', 'choicesPerRow', choicesPerRow, 1);
  expectArgument('assignRows', 'choices', choices.length % choicesPerRow === 0, `have a multiple of ${choicesPerRow} entries`, choices.length);
  const expertOffsets = new Int32Array(numExperts + 1);
  const lastRow = new Int32Array(numExperts).fill(-1);
  for (let i = 0; i < choices.length; i++) {
    const expert = choices[i]!;
    if (expert === -1) continue;
    expectInteger('assignRows', `choices[${i}]`, expert, -1, numExperts - 1);
    const row = Math.floor(i / choicesPerRow);
    expectArgument('assignRows', `row ${row}`, lastRow[expert] !== row, 'name each expert once', expert);
    lastRow[expert] = row;
    expertOffsets[expert + 1]!++;
  }
  for (let expert = 0; expert < numExperts; expert++) expertOffsets[expert + 1]! += expertOffsets[expert]!;
  const tokenOfSlot = new Int32Array(expertOffsets[numExperts]!);
  const next = expertOffsets.slice(0, numExperts);
  for (let i = 0; i < choices.length; i++) {
    const expert = choices[i]!;
    if (expert !== -1) tokenOfSlot[next[expert]!++] = Math.floor(i / choicesPerRow);
  }
  return { numTokens: choices.length / choicesPerRow, numExperts, tokenOfSlot, expertOffsets };
}
