// Shapes: T tokens (rows), E experts.
import { expectArgument, expectInteger } from '@moe/core';
import type { Assignment } from './types.js';

/**
 * Groups the rows that each expert runs, in row order.
 *
 * @param chosen     - `[T,E]` row-major, not 0 where a row goes to an expert.
 * @param numExperts - E.
 * @throws {@link ArgumentError} if there is half a row.
 *
 * @example
 * assignmentOf([0, 1, 1, 1], 2); // tokenOfSlot [1, 0, 1], expertOffsets [0, 1, 3]
 */
export function assignmentOf(chosen: ArrayLike<number>, numExperts: number): Assignment {
  expectInteger('assignmentOf', 'numExperts', numExperts, 1);
  const numTokens = chosen.length / numExperts;
  expectArgument('assignmentOf', 'chosen', Number.isInteger(numTokens), `have a multiple of ${numExperts} entries`, chosen.length);
  const expertOffsets = new Int32Array(numExperts + 1);
  const tokens: number[] = [];
  for (let expert = 0; expert < numExperts; expert++) {
    for (let token = 0; token < numTokens; token++) if (chosen[token * numExperts + expert] !== 0) tokens.push(token);
    expertOffsets[expert + 1] = tokens.length;
  }
  return { numTokens, numExperts, tokenOfSlot: Int32Array.from(tokens), expertOffsets };
}
