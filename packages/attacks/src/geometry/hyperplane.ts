// Shapes: D numbers of one example.
import { expectArgument, expectOneOf } from '@moe/core';
import type { Bounds } from '@moe/core';
import { expectSameLength } from './ball.js';
import type { AttackNorm } from './geometry.js';

// Newton's method on a piecewise linear, concave function ends after as many steps as there are pieces; a handful in practice.
const MAX_STEPS = 100;

/**
 * Smallest change of an example that reaches a hyperplane within bounds: the exact answer to "how far is the decision boundary" of a linear classifier.
 *
 * @remarks
 * `argmin_d ‖d‖_p` with `⟨w, d⟩ = gap` and `point + d` within bounds. Coordinates move by `λ` (L-inf) or `λ|w_i|` (L2) in the direction that closes the gap, until they reach a bound; λ is the
 * root of a monotone piecewise linear function. Where even the corner of the box does not close the gap, the corner is returned.
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
  expectOneOf('projectHyperplane', 'norm', norm, ['Linf', 'L2']);
  expectSameLength('projectHyperplane', normal, point);
  expectArgument('projectHyperplane', 'gap', Number.isFinite(gap), 'be finite', gap);
  const size = point.length;
  const wanted = Math.abs(gap);
  const upwards = (i: number): boolean => normal[i]! > 0 === gap > 0;
  const speed = (i: number): number => (norm === 'Linf' ? Number(normal[i] !== 0) : Math.abs(normal[i]!));
  const room = (i: number): number => (upwards(i) ? high - point[i]! : point[i]! - low);

  let scale = 0;
  for (let step = 0; step < MAX_STEPS; step++) {
    let [reached, slope] = [0, 0];
    for (let i = 0; i < size; i++) {
      const weight = Math.abs(normal[i]!);
      const [move, most] = [scale * speed(i), room(i)];
      reached += weight * Math.min(move, most);
      if (move < most) slope += weight * speed(i);
    }
    if (slope === 0 || wanted - reached <= 1e-12 * wanted) break;
    scale += (wanted - reached) / slope;
  }
  for (let i = 0; i < size; i++) {
    const move = Math.min(scale * speed(i), room(i));
    out[i] = upwards(i) ? move : -move;
  }
  return out;
}
