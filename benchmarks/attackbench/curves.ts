/** Number in the middle of a sample; infinite entries are the largest. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Area under a security-evaluation curve: robust accuracy over eps, from 0 to `limit`, for images that are classified rightly.
 *
 * @remarks Robust accuracy at eps is the share of distances above it, so the area is the mean of the distances, each at most `limit`.
 */
export const areaUnderCurve = (distances: readonly number[], limit: number): number => distances.reduce((total, away) => total + Math.min(away, limit), 0) / distances.length;

/** The largest of the distances; images that no attack fools say nothing of them. */
export const largestFinite = (distances: readonly number[]): number => Math.max(...distances.filter(Number.isFinite));

/** The nearest point that any attack found, for each image. */
export const nearestOfAll = (found: readonly (readonly number[])[]): number[] => found[0]!.map((_, i) => Math.min(...found.map((distances) => distances[i]!)));

/**
 * Local optimality of an attack: 1 for one that is the best on every image, 0 for one that finds nothing before the eps where the best fools every image.
 *
 * @see {@link https://arxiv.org/abs/2404.19460 | Cinà et al. 2024}, AttackBench, Sec. 2.
 */
export function localOptimality(distances: readonly number[], best: readonly number[]): number {
  const limit = largestFinite(best);
  const least = areaUnderCurve(best, limit);
  return least === limit ? 1 : (limit - areaUnderCurve(distances, limit)) / (limit - least);
}
