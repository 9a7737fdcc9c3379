import type { Rng } from '@moe/core';
import { type Ball, type StartKind, expectSameLength } from './ball.js';

/**
 * Nearest point of the L-inf ball around one example, cut to the bounds.
 *
 * @param point  - example to project, any shape, flat.
 * @param centre - clean example, same length, within bounds.
 * @param out    - receives the result; may be `point`. @defaultValue a new array
 * @returns `out`.
 * @throws {@link ArgumentError} if the lengths differ.
 *
 * @example
 * projectLinf(new Float32Array([0.9]), new Float32Array([0.5]), { eps: 0.1, bounds: [0, 1] }); // [0.6]
 */
export function projectLinf(point: Float32Array, centre: Float32Array, { eps, bounds: [low, high] }: Ball, out: Float32Array = new Float32Array(point.length)): Float32Array {
  expectSameLength('projectLinf', point, centre);
  for (let i = 0; i < point.length; i++) {
    const bottom = Math.max(low, centre[i]! - eps);
    const top = Math.min(high, centre[i]! + eps);
    out[i] = Math.min(Math.max(point[i]!, bottom), top);
  }
  return out;
}

/**
 * Random point of the L-inf ball around one example, cut to the bounds.
 *
 * @remarks
 * `'uniform'` draws every coordinate in ±eps (Madry et al. 2018); `'boundary'` scales that draw until one coordinate reaches ±eps, as AutoAttack does.
 *
 * @param centre - clean example, flat.
 * @param rng    - stream of this example alone, e.g. `rng.stream('pgd').at(exampleId, restart)`.
 * @param out    - receives the result. @defaultValue a new array
 * @returns `out`.
 */
export function randomStartLinf(centre: Float32Array, ball: Ball, kind: StartKind, rng: Rng, out: Float32Array = new Float32Array(centre.length)): Float32Array {
  const noise = rng.uniform(centre.length, -1, 1);
  let scale = ball.eps;
  if (kind === 'boundary') {
    const largest = noise.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    scale = largest === 0 ? 0 : ball.eps / largest;
  }
  for (let i = 0; i < centre.length; i++) out[i] = centre[i]! + scale * noise[i]!;
  return projectLinf(out, centre, ball, out);
}

/** `point + stepSize · sign(gradient)`, into `out`. */
export function ascendLinf(point: Float32Array, gradient: Float32Array, stepSize: number, out: Float32Array): void {
  for (let i = 0; i < point.length; i++) {
    const slope = gradient[i]!;
    out[i] = point[i]! + (slope > 0 ? stepSize : slope < 0 ? -stepSize : 0);
  }
}

/** Largest absolute difference of two examples. */
export function distanceLinf(a: Float32Array, b: Float32Array): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}
