// Small models in float64 for the tests, with gradients by hand. Rows of a weight matrix are inputs.
import { createRng } from '@moe/core';

/** `x ↦ x W + b`; `kernel` is `[in, out]`. */
export interface Affine {
  readonly kernel: { readonly shape: [number, number]; readonly values: Float64Array };
  readonly bias: Float64Array;
}

export function randomAffine(inputs: number, outputs: number, seed: number, scale = 1): Affine {
  const rng = createRng(seed);
  return {
    kernel: { shape: [inputs, outputs], values: Float64Array.from(rng.normal(inputs * outputs, 0, scale)) },
    bias: Float64Array.from(rng.normal(outputs, 0, scale)),
  };
}

export function applyAffine({ kernel: { shape, values }, bias }: Affine, x: ArrayLike<number>): Float64Array {
  const [inputs, outputs] = shape;
  const y = Float64Array.from(bias);
  for (let d = 0; d < inputs; d++) for (let m = 0; m < outputs; m++) y[m] = y[m]! + x[d]! * values[d * outputs + m]!;
  return y;
}

export const column = ({ shape, values }: Affine['kernel'], m: number): Float64Array => Float64Array.from({ length: shape[0] }, (_, d) => values[d * shape[1] + m]!);

export function softmaxOf(z: Float64Array): Float64Array {
  const largest = Math.max(...z);
  const e = z.map((value) => Math.exp(value - largest));
  const total = e.reduce((a, b) => a + b, 0);
  return e.map((value) => value / total);
}

/** Experts with the largest scores, ascending. */
export const topOf = (z: Float64Array, k: number): number[] => Array.from(z.keys()).sort((a, b) => z[b]! - z[a]! || a - b).slice(0, k).sort((a, b) => a - b);

export const plus = (x: Float64Array, step: Float64Array, factor = 1): Float64Array => x.map((value, d) => value + factor * step[d]!);

export const LENGTH = {
  L2: (x: ArrayLike<number>) => Math.hypot(...Array.from(x)),
  Linf: (x: ArrayLike<number>) => Math.max(...Array.from(x, Math.abs)),
  L1: (x: ArrayLike<number>) => Array.from(x, Math.abs).reduce((a, b) => a + b, 0),
} as const;

/** A random perturbation of length `radius`. */
export function randomStep(size: number, norm: keyof typeof LENGTH, radius: number, seed: number): Float64Array {
  const raw = Float64Array.from(createRng(seed).normal(size));
  const step = norm === 'Linf' && seed % 2 === 0 ? raw.map(Math.sign) : raw;
  const length = LENGTH[norm](step);
  return step.map((value) => (value * radius) / length);
}

/** Steepest perturbation of length `radius` for a linear function with this gradient. */
export function steepest(gradient: Float64Array, norm: keyof typeof LENGTH, radius: number): Float64Array {
  if (norm === 'Linf') return gradient.map((value) => radius * Math.sign(value));
  if (norm === 'L2') return gradient.map((value) => (radius * value) / (LENGTH.L2(gradient) || 1));
  const largest = gradient.reduce((best, value, d) => (Math.abs(value) > Math.abs(gradient[best]!) ? d : best), 0);
  return gradient.map((value, d) => (d === largest ? radius * Math.sign(value) : 0));
}

/** Projects on the ball: scaled back, clipped or, for L1, scaled back. */
export function intoBall(step: Float64Array, norm: keyof typeof LENGTH, radius: number): Float64Array {
  if (norm === 'Linf') return step.map((value) => Math.max(-radius, Math.min(radius, value)));
  const length = LENGTH[norm](step);
  return length <= radius ? step : step.map((value) => (value * radius) / length);
}
