import { type Tensor, grad, leakyRelu, memory, mul, relu, relu6, square, sum, tensor, tidy } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';

const POINTS = [-7, -2, -0.5, 0, 0.5, 3, 6.5, 40];

describe('gradients of the ReLU family', () => {
  it.each<[string, (x: Tensor) => Tensor, (x: number) => number]>([
    ['relu', relu, (x) => (x > 0 ? 1 : 0)],
    ['relu6', relu6, (x) => (x > 0 && x < 6 ? 1 : 0)],
    ['leakyRelu', (x) => leakyRelu(x, 0.3), (x) => (x > 0 ? 1 : 0.3)],
    ['leakyRelu that rises to the left', (x) => leakyRelu(x, -0.3), (x) => (x > 0 ? 1 : -0.3)],
  ])('are the slope times dy: %s', (_name, fn, slope) => {
    tidy(() => {
      const dy = [3, -1, 2, 5, -4, 0.25, 7, 1];
      expect(grad(fn)(tensor(POINTS), tensor(dy))).toBeAllClose(POINTS.map((x, i) => dy[i]! * slope(x)));
    });
  });

  it('have the flat slope in their kinks', () => {
    tidy(() => {
      expect(grad(relu6)(tensor([0, 6]))).toBeAllClose([0, 0]);
      expect(grad(relu)(tensor([0]))).toBeAllClose([0]);
    });
  });

  it.each<[string, (x: Tensor) => Tensor]>([
    ['relu', relu],
    ['relu6', relu6],
    ['leakyRelu', (x) => leakyRelu(x, 0.3)],
  ])('can be differentiated again, in x and in dy: %s', (_name, fn) => {
    tidy(() => {
      const x = tensor([-1.5, -0.7, 0.4, 1.2, 5, 7]);
      const weights = tensor(createRng(1).normal(6));
      // d/dx Σ w·f(x)² = 2·w·f(x)·f'(x): both its factors depend on x.
      expectGradient((t) => sum(mul(grad((u: Tensor) => sum(mul(weights, square(fn(u)))))(t), weights)), x);
      expectGradient((t) => sum(square(grad(fn)(x, t))), weights);
    });
  });

  it('keep nothing but the gradient', () => {
    const x = tensor(POINTS);
    const bytes = memory().numBytes;
    for (const fn of [relu, relu6, leakyRelu]) expectTensorsKept(1, () => grad(fn as (t: Tensor) => Tensor)(x)).dispose();
    expect(memory().numBytes).toBe(bytes);
    x.dispose();
  });
});
