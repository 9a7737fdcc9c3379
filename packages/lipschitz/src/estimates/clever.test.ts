import { expectTensorsKept } from '@moe/testing';
import { type Tensor, type Tensor2D, matMul, mul, sigmoid, tensor2d } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { certifiedRadius } from '../certificate/certified-radius.js';
import { clever } from './clever.js';

const WEIGHTS: [number, number, number][] = [[1, 0, 2], [2, 0, -1]];

describe('clever', () => {
  it('is the exact distance for a linear model, in every norm', () => {
    const weights = tensor2d(WEIGHTS);
    const model = (x: Tensor): Tensor2D => matMul(x as Tensor2D, weights);
    const input = tensor2d([[1, 1]]);
    // Logits 3, 0, 1: margin to class 1 is 3, its gradient (1, 2): 3/√5 in L2, 3/3 in Linf, 3/2 in L1.
    for (const [norm, distance] of [['L2', 3 / Math.sqrt(5)], ['Linf', 1], ['L1', 1.5]] as const) {
      const { bound, score } = clever(model, input, { label: 0, target: 1, radius: 5, norm, seed: 1, batches: 3, batchSize: 4 });
      expect(bound.status).toBe('estimate');
      expect(score).toBeCloseTo(distance, 4);
    }
    expect(clever(model, input, { label: 0, target: 1, radius: 0.5, seed: 1, batches: 3, batchSize: 4 }).score).toBe(0.5);
    expect(clever(model, input, { label: 1, target: 0, radius: 0.5, seed: 1, batches: 3, batchSize: 4 }).score).toBe(0);
  });

  it('over-reports where a sigmoid masks the gradient, which is why it is no bound', () => {
    const weights = tensor2d(WEIGHTS);
    // The masked unit is steep only near x₁ = −3, outside the samples but on the way to the other class.
    const model = (x: Tensor): Tensor2D => sigmoid(mul(matMul(x as Tensor2D, weights), 30) as Tensor2D);
    const { bound, score } = clever(model, tensor2d([[2, 2]]), { label: 0, target: 1, radius: 1, seed: 1, batches: 4, batchSize: 8 });
    expect(score).toBe(1);
    expect(bound.value).toBeLessThan(1);
    // @ts-expect-error an estimate is no bound
    expect(() => certifiedRadius(1, bound)).toThrow("got 'estimate'");
  });

  it('leaves no tensors, and refuses batches and unknown classes', () => {
    const weights = tensor2d(WEIGHTS);
    const model = (x: Tensor): Tensor2D => matMul(x as Tensor2D, weights);
    const input = tensor2d([[1, 1]]);
    expectTensorsKept(0, () => clever(model, input, { label: 0, target: 2, radius: 1, seed: 1, batches: 2, batchSize: 2 }));
    expect(() => clever(model, tensor2d([[1, 1], [1, 1]]), { label: 0, target: 1, radius: 1, seed: 1 })).toThrow('one example');
    expect(() => clever(model, input, { label: 0, target: 3, radius: 1, seed: 1 })).toThrow('be two of 3 classes');
  });
});
