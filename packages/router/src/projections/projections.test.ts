import { createRng } from '@moe/core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { type Tensor, type Tensor2D, add, grad, mul, sum, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { softTopK } from './soft-top-k.js';
import { sparsemax } from './sparsemax.js';

const random = (rows: number, entries: number): Tensor2D => tensor2d(createRng(4).normal(rows * entries, 0, 0.7), [rows, entries]);

describe('sparsemax', () => {
  it('is the golden projection', () => {
    tidy(() => {
      expect(sparsemax(tensor2d([[0.9, 0.2, 0.7, -0.3, 0.65]]))).toBeAllClose([0.483333, 0, 0.283333, 0, 0.233333], { atol: 1e-6 });
    });
  });

  it('is uniform for equal scores, one-hot for scores far apart, and the identity on the simplex', () => {
    tidy(() => {
      expect(sparsemax(tensor2d([[3, 3, 3, 3], [5, 3.9, -1, -1e9], [0.1, 0.2, 0.3, 0.4]]))).toBeAllClose([0.25, 0.25, 0.25, 0.25, 1, 0, 0, 0, 0.1, 0.2, 0.3, 0.4], { atol: 1e-6 });
    });
  });

  it('is on the simplex, and does not move under a shift', () => {
    tidy(() => {
      const z = random(20, 6);
      const p = sparsemax(z);
      expect(p).toBeWithin(0, 1);
      expect(sum(p, 1)).toBeAllClose(new Array<number>(20).fill(1), { atol: 1e-6 });
      expect(sparsemax(add(z, 2))).toBeAllClose(p, { atol: 1e-6 });
    });
  });

  it('has the gradient of central differences, diag(s) - s sᵀ/|s|', () => {
    tidy(() => {
      const z = tensor2d([[0.9, 0.2, 0.7, -0.3, 0.65]]);
      const upstream = tensor2d([[1, 2, 4, 8, 16]]);
      // Support 0, 2, 4: the slope minus its mean, 7, there.
      expect(grad((t: Tensor) => sum(mul(sparsemax(t as Tensor2D), upstream)))(z)).toBeAllClose([-6, 0, -3, 0, 9], { atol: 1e-5 });
      expectGradient((t) => sum(mul(sparsemax(t as Tensor2D), upstream)), z);
    });
  });
});

describe('softTopK', () => {
  it('is the hard indicator for entries that are ε apart', () => {
    tidy(() => {
      expect(softTopK(tensor2d([[3, 0, 2, 1]]), 2, { eps: 0.5 })).toBeAllClose([1, 0, 1, 0], { atol: 1e-6 });
    });
  });

  it('shares between entries that are close, as worked by hand', () => {
    tidy(() => {
      // clip(z - τ, 0, 1) sums to 1: τ = .05 gives .85 + .15; sums to 2 for three equal entries at 2/3 each.
      expect(softTopK(tensor2d([[0.9, 0.2, -3]]), 1)).toBeAllClose([0.85, 0.15, 0], { atol: 1e-6 });
      expect(softTopK(tensor2d([[1, 1, 1]]), 2)).toBeAllClose([2 / 3, 2 / 3, 2 / 3], { atol: 1e-6 });
    });
  });

  it.each([1, 2, 5])('sums to k = %i, in [0, 1], ordered as the scores', (k) => {
    tidy(() => {
      const z = random(30, 5);
      const m = softTopK(z, k);
      expect(m).toBeWithin(-1e-6, 1 + 1e-6);
      expect(sum(m, 1)).toBeAllClose(new Array<number>(30).fill(k), { atol: 1e-5 });
      const [scores, values] = [z.arraySync(), m.arraySync()];
      scores.forEach((row, t) => row.forEach((a, i) => row.forEach((b, j) => a > b && expect(values[t]![i]).toBeGreaterThanOrEqual(values[t]![j]! - 1e-6))));
    });
  });

  it('has the gradient of central differences away from its kinks', () => {
    const z = tensor2d([[0.9, 0.2, -3], [0.1, 0.4, 0.3]]);
    const upstream = tensor2d([[1, 2, 4], [3, -1, 2]]);
    expectGradient((t) => sum(mul(softTopK(t as Tensor2D, 1), upstream)), z);
    z.dispose();
    upstream.dispose();
  });

  it('keeps one tensor, and refuses a k beyond the entries', () => {
    const z = random(2, 3);
    expectTensorsKept(1, () => softTopK(z, 2)).dispose();
    expectTensorsKept(0, () => expect(() => softTopK(z, 4)).toThrow('softTopK: k must be an integer in [1, 3], got 4.'));
    z.dispose();
  });
});
