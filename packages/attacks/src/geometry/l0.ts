// Shapes: D numbers of one example.
import { type Ball, expectSameLength } from './ball.js';

/** Number of coordinates in which two examples differ. */
export function distanceL0(a: Float32Array, b: Float32Array): number {
  let count = 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) count++;
  return count;
}

/**
 * Nearest point, in Euclidean distance, that lies within bounds and differs from one example in at most `eps` coordinates.
 *
 * @remarks
 * Every coordinate is cut to the bounds or taken back to the centre, by itself; those are kept that come nearer to the point by it than all others, the first of equal ones.
 *
 * @param point  - example to project, flat.
 * @param centre - clean example, same length, within bounds.
 * @param ball   - its radius is a number of coordinates, rounded down.
 * @param out    - receives the result; may be `point`.
 * @returns `out`.
 * @throws {@link ArgumentError} if the lengths differ.
 */
export function projectL0(point: Float32Array, centre: Float32Array, { eps, bounds: [low, high] }: Ball, out: Float32Array): Float32Array {
  expectSameLength('projectL0', point, centre);
  const cut = (i: number): number => Math.fround(Math.min(Math.max(point[i]!, low), high));
  // What keeping a coordinate takes off the squared distance.
  const gains = Float64Array.from(point, (value, i) => (value - centre[i]!) ** 2 - (value - cut(i)) ** 2);
  const count = Math.min(Math.floor(eps), point.length);
  const least = count === 0 ? Infinity : gains.toSorted()[point.length - count]!;
  let equal = count - gains.reduce((total, gain) => total + Number(gain > least), 0);
  for (let i = 0; i < point.length; i++) out[i] = gains[i]! > least || (gains[i] === least && equal-- > 0) ? cut(i) : centre[i]!;
  return out;
}
