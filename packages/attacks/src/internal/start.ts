import type { Rng } from '@moe/core';
import type { Ball, StartKind } from '../geometry/ball.js';
import type { Geometry } from '../geometry/geometry.js';
import { type PerExample, derive } from './per-example.js';

/**
 * First point of a run: the clean input, a point of the ball or of its surface, normal noise, or noise of one size and random sign at every coordinate.
 */
export type Start = 'none' | StartKind | 'normal' | 'sign';

export const STARTS: readonly Start[] = ['none', 'uniform', 'boundary', 'normal', 'sign'];

/** Radius, standard deviation or size of the noise, where none is given: the whole ball; 0.001 (Zhang et al. 2019, released code); half the ball (Tramèr et al. 2018). */
export function defaultStartSize(start: Start, eps: PerExample): PerExample {
  if (start === 'none') return 0;
  if (start === 'normal') return 1e-3;
  return start === 'sign' ? derive(eps, 0.5, (a, b) => a * b) : eps;
}

/** Writes a first point of the given size into `out`, within ball and bounds. */
export function startPoint({ project, randomStart }: Geometry, start: Start, size: number, centre: Float32Array, ball: Ball, rng: Rng, out: Float32Array): void {
  if (start === 'none') {
    out.set(centre);
    return;
  }
  if (start === 'uniform' || start === 'boundary') {
    randomStart(centre, { ...ball, eps: Math.min(size, ball.eps) }, start, rng, out);
    return;
  }
  const noise = start === 'normal' ? rng.normal(centre.length) : rng.uniform(centre.length, -1, 1).map((value) => (value < 0 ? -1 : 1));
  for (let i = 0; i < centre.length; i++) out[i] = centre[i]! + size * noise[i]!;
  project(out, centre, ball, out);
}
