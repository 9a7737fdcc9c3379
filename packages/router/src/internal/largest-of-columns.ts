// Shapes: T tokens, E experts. Everything here is on the host.
import type { RouteContext } from '../types.js';

/**
 * 1 at the largest entries of each column in each group of consecutive rows, `[T,E]` row-major; ties go to the earlier row.
 *
 * @param scores  - `[T,E]` row-major.
 * @param options - rows of a group, entries per column of a group, and which rows and columns take part.
 */
export function largestOfColumns(
  scores: ArrayLike<number>,
  numExperts: number,
  { groupSize, count, allowed, mask }: { readonly groupSize: number; readonly count: number } & Pick<RouteContext, 'allowed' | 'mask'>,
): Float32Array {
  const chosen = new Float32Array(scores.length);
  const numTokens = scores.length / numExperts;
  for (let start = 0; start < numTokens; start += groupSize) {
    const rows = Array.from({ length: groupSize }, (_, i) => start + i).filter((row) => mask?.[row] !== false);
    for (let expert = 0; expert < numExperts; expert++) {
      if (allowed?.[expert] === false) continue;
      const best = [...rows].sort((a, b) => scores[b * numExperts + expert]! - scores[a * numExperts + expert]!).slice(0, count);
      for (const row of best) chosen[row * numExperts + expert] = 1;
    }
  }
  return chosen;
}
