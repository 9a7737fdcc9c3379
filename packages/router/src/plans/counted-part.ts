// Shapes: T tokens, E experts. Everything here is on the host.
import type { RouteContext } from '../types.js';

/**
 * Lets `choose` see only tokens that count and experts that are allowed, and puts its choices back where they belong.
 *
 * @param scores - `[T,E]` row-major.
 * @param choose - from the scores of a part `[t,e]` to its choices, 1 or 0, of the same size.
 * @returns Choices `[T,E]`, 0 outside the part.
 */
export function onCountedPart(
  scores: ArrayLike<number>,
  numExperts: number,
  { allowed, mask }: Pick<RouteContext, 'allowed' | 'mask'>,
  choose: (part: Float64Array, numExperts: number) => ArrayLike<number>,
): Float32Array {
  const experts = Array.from({ length: numExperts }, (_, expert) => expert).filter((expert) => allowed?.[expert] !== false);
  const tokens = Array.from({ length: scores.length / numExperts }, (_, token) => token).filter((token) => mask?.[token] !== false);
  const places = tokens.flatMap((token) => experts.map((expert) => token * numExperts + expert));
  const chosen = new Float32Array(scores.length);
  if (places.length === 0) return chosen;
  const part = choose(Float64Array.from(places, (place) => scores[place]!), experts.length);
  places.forEach((place, i) => (chosen[place] = part[i]!));
  return chosen;
}
