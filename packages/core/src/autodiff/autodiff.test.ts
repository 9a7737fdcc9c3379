import { type Scalar, type Tensor, type Tensor2D, grad, grads, mul, square, sum, tensor, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { gatherRows, scatterAddRows } from './rows.js';
import { stopGradient } from './stop-gradient.js';
import { straightThrough } from './straight-through.js';
import { topKIndices, topKMask } from './top-k-mask.js';

describe('stopGradient', () => {
  it('keeps the value and blocks the gradient', () => {
    tidy(() => {
      const x = tensor1d([1, 2, 3]);
      expect(stopGradient(x)).toBeAllClose([1, 2, 3]);
      // d/dx Σ x·stop(x) = stop(x) = x, not 2x.
      expect(grad((v: Tensor) => sum(mul(v, stopGradient(v))))(x)).toBeAllClose([1, 2, 3]);
    });
  });

  it('blocks second derivatives too', () => {
    tidy(() => {
      const first = (v: Tensor): Tensor => grad((u: Tensor) => sum(mul(square(u), stopGradient(u))))(v);
      // First derivative 2u·stop(u); its derivative sees only the free u: 2·stop(u).
      expect(grad((v: Tensor) => sum(first(v)))(tensor1d([1, 2]))).toBeAllClose([2, 4]);
    });
  });

  it('keeps one tensor', () => {
    const x = tensor1d([1]);
    expectTensorsKept(1, () => stopGradient(x)).dispose();
    x.dispose();
  });
});

describe('straightThrough', () => {
  it('has the value of hard and the gradient of soft', () => {
    tidy(() => {
      const hard = tensor1d([1, 0]);
      const soft = tensor1d([0.6, 0.4]);
      const weights = tensor1d([3, 5]);
      expect(straightThrough(hard, soft)).toBeAllClose([1, 0], { rtol: 0, atol: 0 });
      const [toHard, toSoft] = grads((h: Tensor, s: Tensor) => sum(mul(straightThrough(h, s), weights)))([hard, soft]);
      expect(toHard).toBeAllClose([0, 0]);
      expect(toSoft).toBeAllClose([3, 5]);
    });
  });

  it('refuses different shapes', () => {
    tidy(() => {
      expect(() => straightThrough<Tensor>(tensor1d([1]), tensor1d([1, 2]))).toThrow('straightThrough: soft must have shape [1], got [2].');
    });
  });
});

describe('topKMask', () => {
  it('marks the k largest of each row, ties to the lowest index', () => {
    tidy(() => {
      const x = tensor2d([[0.2, 0.5, 0.2, 0.1], [1, 1, 1, 1]]);
      expect(topKMask(x, 1)).toBeAllClose([0, 1, 0, 0, 1, 0, 0, 0]);
      expect(topKMask(x, 2)).toBeAllClose([1, 1, 0, 0, 1, 1, 0, 0]);
      expect(topKMask(x, 4)).toBeAllClose(new Array(8).fill(1));
    });
  });

  it('lets the gradient through the product but not through the choice', () => {
    tidy(() => {
      const gradient = grad((x: Tensor) => sum(mul(x, topKMask(x as Tensor2D, 1))))(tensor2d([[1, 3, 2]]));
      expect(gradient).toBeAllClose([0, 1, 0]);
    });
  });

  it('orders indices by value, NaN last', () => {
    expect(Array.from(topKIndices([3, 9, 9, 1, NaN, 7], 6, 4))).toEqual([1, 2, 5, 0]);
    expect(Array.from(topKIndices([NaN, -Infinity, 1], 3, 1))).toEqual([2]);
  });

  it('refuses k outside [1, E] and keeps no tensor when it does', () => {
    const x = tensor2d([[1, 2]]);
    expectTensorsKept(0, () => expect(() => topKMask(x, 3)).toThrow('topKMask: k must be an integer in [1, 2], got 3.'));
    x.dispose();
  });
});

describe('gatherRows and scatterAddRows', () => {
  const x = () => tensor2d([[1, 2], [3, 4], [5, 6]]);
  const indices = () => tensor1d([2, 0, 2], 'int32');

  it('gather and scatter by hand', () => {
    tidy(() => {
      expect(gatherRows(x(), indices())).toBeAllClose([5, 6, 1, 2, 5, 6]);
      expect(scatterAddRows(x(), indices(), 4)).toBeAllClose([3, 4, 0, 0, 6, 8, 0, 0]);
    });
  });

  it('are adjoint: ⟨gather x, y⟩ = ⟨x, scatter y⟩', () => {
    tidy(() => {
      const y = tensor2d([[1, -1], [2, 0.5], [-3, 4]]);
      const left = sum(mul(gatherRows(x(), indices()), y));
      expect(left).toBeAllClose(sum(mul(x(), scatterAddRows(y, indices(), 3))));
    });
  });

  it('have the gradients of central differences, in any rank', () => {
    const cube = tensor([0.1, 0.2, -0.3, 0.4, 0.5, -0.6, 0.7, 0.8, -0.9, 1, 1.1, 1.2], [3, 2, 2]);
    const index = indices();
    expectGradient((v) => sum(square(gatherRows(v, index))) as Scalar, cube);
    expectGradient((v) => sum(square(scatterAddRows(v, index, 4))) as Scalar, cube);
    cube.dispose();
    index.dispose();
  });

  it('keep one tensor', () => {
    const rows = x();
    const index = indices();
    expectTensorsKept(1, () => gatherRows(rows, index)).dispose();
    expectTensorsKept(1, () => scatterAddRows(rows, index, 3)).dispose();
    rows.dispose();
    index.dispose();
  });

  it('handle no rows at all', () => {
    tidy(() => {
      const none = tensor1d([], 'int32');
      expect(gatherRows(x(), none)).toHaveShape([0, 2]);
      expect(scatterAddRows(tensor2d([], [0, 2]), none, 2)).toBeAllClose([0, 0, 0, 0]);
    });
  });

  it('refuse float indices', () => {
    tidy(() => {
      expect(() => gatherRows(x(), tensor1d([0]))).toThrow("gatherRows: indices must have dtype 'int32', got 'float32'.");
    });
  });
});
