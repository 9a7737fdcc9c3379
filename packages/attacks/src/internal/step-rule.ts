import type { Bounds } from '@moe/core';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';

/** Way of a step: the steepest ascent of the norm, the signs of the gradient, the gradient at length 1, or the gradient of the loss as it is. */
export type StepDirection = 'steepest' | 'sign' | 'unit' | 'raw';

/** How a step size falls from the first step to the last: not at all, along a line to 0, or along half a cosine. */
export type StepDecay = 'none' | 'linear' | 'cosine';

export const STEP_DIRECTIONS: readonly StepDirection[] = ['steepest', 'sign', 'unit', 'raw'];
export const STEP_DECAYS: readonly StepDecay[] = ['none', 'linear', 'cosine'];

/** One step into `out`; the true gradient is `scale · gradient`. */
type Step = (point: Float32Array, gradient: Float32Array, stepSize: number, scale: number, out: Float32Array, bounds: Bounds) => void;

export function stepAlong(norm: AttackNorm, direction: StepDirection): Step {
  if (direction === 'raw') {
    return (point, gradient, stepSize, scale, out) => {
      const factor = stepSize * scale;
      for (let i = 0; i < point.length; i++) out[i] = point[i]! + factor * gradient[i]!;
    };
  }
  const { ascend } = GEOMETRIES[direction === 'sign' ? 'Linf' : direction === 'unit' ? 'L2' : norm];
  return (point, gradient, stepSize, _, out, bounds) => ascend(point, gradient, stepSize, out, bounds);
}

/** Share of the step size that step `step` of `steps` has, counted from 0. */
export function decayed(decay: StepDecay, step: number, steps: number): number {
  if (decay === 'linear') return 1 - step / steps;
  return decay === 'cosine' ? (1 + Math.cos((Math.PI * step) / steps)) / 2 : 1;
}
