// Shapes: T tokens, E experts. Everything here is on the host.
import { expectArgument, expectInteger } from '@moe/core';

/**
 * How often two experts are chosen by the same token.
 *
 * @param combineWeights - `[T,E]` row-major; an expert is chosen where its weight is above 0.
 * @param numExperts     - E.
 * @returns `[E,E]` row-major, symmetric: share of tokens that chose both; on the diagonal, that chose the expert.
 * @throws {@link ArgumentError} if there is no row, or half a one.
 *
 * @example
 * coActivation([0.5, 0.5, 1, 0], 2); // [1, 0.5, 0.5, 0.5]
 */
export function coActivation(combineWeights: ArrayLike<number>, numExperts: number): Float64Array {
  expectInteger('coActivation', 'numExperts', numExperts, 1);
  const rows = combineWeights.length / numExperts;
  expectArgument('coActivation', 'combineWeights', Number.isInteger(rows) && rows >= 1, `have rows of ${numExperts} entries, at least one`, `${combineWeights.length} entries`);
  const matrix = new Float64Array(numExperts * numExperts);
  for (let row = 0; row < rows; row++) {
    const chosen = Array.from({ length: numExperts }, (_, expert) => expert).filter((expert) => combineWeights[row * numExperts + expert]! > 0);
    for (const a of chosen) for (const b of chosen) matrix[a * numExperts + b]! += 1 / rows;
  }
  return matrix;
}
