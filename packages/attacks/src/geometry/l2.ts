import type { Rng } from '@moe/core';
import { type Ball, type StartKind, expectSameLength } from './ball.js';
import { lengthL2 } from './lengths.js';

const TINY = 1e-12; // Croce & Hein 2020, released code
/** Longest difference accepted after rounding to float32; half the slack that attacks promise. */
const longest = (eps: number): number => eps * (1 + 5e-7) + 5e-8;

/** Euclidean distance of two examples. */
export function distanceL2(a: Float32Array, b: Float32Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(total);
}

/**
 * Pulls a point into the L2 ball around one example, then cuts it to the bounds.
 *
 * @remarks
 * Always inside both. Differs from the Euclidean projection onto their intersection where a bound is active; AutoPGD is defined with this form.
 *
 * @param point  - example to project, any shape, flat.
 * @param centre - clean example, same length, within bounds.
 * @param out    - receives the result; may be `point`. @defaultValue a new array
 * @returns `out`.
 * @throws {@link ArgumentError} if the lengths differ.
 *
 * @example
 * projectL2(new Float32Array([0.8, 0.9]), new Float32Array([0.5, 0.5]), { eps: 0.25, bounds: [0, 1] }); // [0.65, 0.7]
 */
export function projectL2(point: Float32Array, centre: Float32Array, { eps, bounds: [low, high] }: Ball, out: Float32Array = new Float32Array(point.length)): Float32Array {
  expectSameLength('projectL2', point, centre);
  let source = point;
  let scale = Math.min(1, eps / (distanceL2(point, centre) + TINY));
  for (let attempt = 1; ; attempt *= 2) {
    let total = 0;
    for (let i = 0; i < source.length; i++) {
      const value = centre[i]! + scale * (source[i]! - centre[i]!);
      out[i] = Math.min(Math.max(value, low), high);
      total += (out[i]! - centre[i]!) ** 2;
    }
    // Rounding many coordinates the same way can lengthen the difference beyond its slack.
    const length = Math.sqrt(total);
    if (!(length > longest(eps))) return out;
    source = out;
    scale = Math.max(0, 1 - attempt * (1 - eps / length));
  }
}

/**
 * Random point of the L2 ball around one example, cut to the bounds.
 *
 * @remarks
 * `'uniform'` in volume: a normal direction times `eps · U^(1/d)`; `'boundary'` at distance eps, as AutoAttack does.
 *
 * @param centre - clean example, flat.
 * @param rng    - stream of this example alone, e.g. `rng.stream('pgd').at(exampleId, restart)`.
 * @param out    - receives the result. @defaultValue a new array
 * @returns `out`.
 */
export function randomStartL2(centre: Float32Array, ball: Ball, kind: StartKind, rng: Rng, out: Float32Array = new Float32Array(centre.length)): Float32Array {
  const noise = rng.normal(centre.length);
  const radius = kind === 'boundary' ? 1 : rng.uniform(1)[0]! ** (1 / centre.length);
  const scale = (ball.eps * radius) / (Math.sqrt(noise.reduce((total, value) => total + value ** 2, 0)) + TINY);
  for (let i = 0; i < centre.length; i++) out[i] = centre[i]! + scale * noise[i]!;
  return projectL2(out, centre, ball, out);
}

/** `point + stepSize · gradient / (‖gradient‖₂ + 1e-12)`, into `out`. */
export function ascendL2(point: Float32Array, gradient: Float32Array, stepSize: number, out: Float32Array): void {
  const scale = stepSize / (lengthL2(gradient) + TINY);
  for (let i = 0; i < point.length; i++) out[i] = point[i]! + scale * gradient[i]!;
}
