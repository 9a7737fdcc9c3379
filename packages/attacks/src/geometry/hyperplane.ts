// Shapes: D numbers of one example.
import { expectArgument, expectOneOf } from '@moe/core';
import type { Bounds } from '@moe/core';
import { expectSameLength } from './ball.js';
import { type AttackNorm, GEOMETRIES } from './geometry.js';

// Newton's method on a piecewise linear, concave function ends after as many steps as there are pieces; a handful in practice.
const MAX_STEPS = 100;
const HALVINGS = 25; // as many bits as a float32 has

/**
 * Smallest change of an example that reaches a hyperplane within bounds: the exact answer to "how far is the decision boundary" of a linear classifier.
 *
 * @remarks
 * `argmin_d ‖d‖_p` with `⟨w, d⟩ = gap` and `point + d` within bounds. Coordinates move by `λ` (L-inf) or `λ|w_i|` (L2) in the direction that closes the gap, until they reach a bound; λ is the
 * root of a monotone piecewise linear function. In L1, coordinates go to their bound one after the other, those of largest `|w_i|` first. Where even the corner of the box does not close the
 * gap, the corner is returned.
 *
 * @param point  - example, flat, within bounds.
 * @param normal - w, same length.
 * @param gap    - wanted change of `⟨w, ·⟩`.
 * @param out    - receives d. @defaultValue a new array
 * @returns `out`.
 * @throws {@link ArgumentError} if lengths differ.
 * @see {@link https://arxiv.org/abs/1907.02044 | Croce & Hein 2020}, FAB, Sec. 2 and App. A.
 *
 * @example
 * projectHyperplane('Linf', new Float32Array([0.5, 0.5]), new Float32Array([3, 1]), 1, [0, 1]); // [0.25, 0.25]
 */
export function projectHyperplane(norm: AttackNorm, point: Float32Array, normal: Float32Array, gap: number, [low, high]: Bounds, out: Float32Array = new Float32Array(point.length)): Float32Array {
  expectOneOf('projectHyperplane', 'norm', norm, ['Linf', 'L2', 'L1']);
  expectSameLength('projectHyperplane', normal, point);
  expectArgument('projectHyperplane', 'gap', Number.isFinite(gap), 'be finite', gap);
  const upwards = (i: number): boolean => normal[i]! > 0 === gap > 0;
  for (let i = 0; i < point.length; i++) out[i] = upwards(i) ? high - point[i]! : point[i]! - low;
  if (norm === 'L1') moveGreedily(normal, Math.abs(gap), out);
  else moveTogether(norm, normal, Math.abs(gap), out);
  for (let i = 0; i < point.length; i++) if (!upwards(i)) out[i] = -out[i]!;
  return out;
}

/** Moves all coordinates at once until they reach a bound, with the same speed or one proportional to their weight; turns the room of each into its move. */
function moveTogether(norm: 'Linf' | 'L2', normal: Float32Array, wanted: number, moves: Float32Array): void {
  const speed = (weight: number): number => (norm === 'L2' ? weight : weight > 0 ? 1 : 0);
  let scale = 0;
  for (let step = 0; step < MAX_STEPS; step++) {
    let [reached, slope] = [0, 0];
    for (let i = 0; i < normal.length; i++) {
      const weight = Math.abs(normal[i]!);
      const [move, most] = [scale * speed(weight), moves[i]!];
      reached += weight * Math.min(move, most);
      if (move < most) slope += weight * speed(weight);
    }
    if (slope === 0 || wanted - reached <= 1e-12 * wanted) break;
    scale += (wanted - reached) / slope;
  }
  for (let i = 0; i < normal.length; i++) moves[i] = Math.min(scale * speed(Math.abs(normal[i]!)), moves[i]!);
}

/** Moves the heaviest coordinates to their bounds until the next can close what is left; turns the room of each into its move. */
function moveGreedily(normal: Float32Array, wanted: number, moves: Float32Array): void {
  const weights = normal.map(Math.abs).sort();
  /** What is left of the gap when all coordinates of more than some weight are at their bounds. */
  const left = (weight: number): number => {
    let rest = wanted;
    for (let i = 0; i < normal.length; i++) if (Math.abs(normal[i]!) > weight) rest -= Math.abs(normal[i]!) * moves[i]!;
    return rest;
  };
  // The least weight whose elders leave something to do, by halving.
  let [low, high] = [0, weights.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (left(weights[middle]!) > 0) high = middle;
    else low = middle + 1;
  }
  const last = weights[low]!;
  let rest = left(last);
  for (let i = 0; i < normal.length; i++) {
    const weight = Math.abs(normal[i]!);
    if (weight > last) continue;
    if (weight === last && weight > 0) {
      moves[i] = Math.min(Math.max(rest, 0) / weight, moves[i]!);
      rest -= weight * moves[i]!;
    } else moves[i] = 0;
  }
}

/** The change of length `eps` at most that goes furthest along a normal within bounds: of the changes to a hyperplane the longest that fits, by halving its gap. */
export function furthestChange(norm: AttackNorm, point: Float32Array, normal: Float32Array, eps: number, bounds: Bounds, out: Float32Array): Float32Array {
  const { distance, dualLength } = GEOMETRIES[norm];
  const origin = new Float32Array(point.length);
  const fits = (gap: number): boolean => distance(projectHyperplane(norm, point, normal, gap, bounds, out), origin) <= eps;
  let [low, high] = [0, eps * dualLength(normal)];
  if (fits(high)) return out;
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return projectHyperplane(norm, point, normal, low, bounds, out);
}
