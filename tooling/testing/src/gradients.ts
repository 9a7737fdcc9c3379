import { type Scalar, type Tensor, grad, memory, tensor, tidy } from '@tensorflow/tfjs-core';
import { expect } from 'vitest';

/**
 * Compares the gradient of a scalar function with central differences along random directions.
 *
 * @param fn  - differentiable function of one tensor; everything else is closed over.
 * @param at  - point of comparison; keep it away from kinks.
 * @param step - half the width of the difference, relative to a direction of unit maximum.
 */
export function expectGradient(fn: (x: Tensor) => Scalar, at: Tensor, { step = 1e-2, rtol = 1e-2, atol = 1e-3, directions = 4 } = {}): void {
  const before = memory().numTensors;
  const gradient = tidy(() => Array.from(grad(fn)(at).dataSync()));
  const values = Array.from(at.dataSync());
  const evaluate = (direction: number[], sign: number): number =>
    tidy(() => fn(tensor(values.map((value, i) => value + sign * step * direction[i]!), at.shape)).dataSync()[0]!);
  for (let k = 0; k < directions; k++) {
    // A fixed quasi-random direction: fractional parts of multiples of irrational numbers.
    const direction = values.map((_, i) => 2 * (((i + 1) * Math.SQRT2 * (k + 1) + k * Math.E) % 1) - 1);
    const expected = (evaluate(direction, 1) - evaluate(direction, -1)) / (2 * step);
    const actual = gradient.reduce((total, value, i) => total + value * direction[i]!, 0);
    expect(actual, `slope along direction ${k}`).toBeAllClose(expected, { rtol, atol });
  }
  expect(memory().numTensors, 'tensors kept').toBe(before);
}
