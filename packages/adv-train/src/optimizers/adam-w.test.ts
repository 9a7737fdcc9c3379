import { scalar, tensor1d } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { adamW } from './adam-w.js';

describe('adamW', () => {
  const step = (weightDecay: number, gradient: number) => {
    const optimizer = adamW({ weightDecay });
    const rates = optimizer.rates({ learningRate: 0.1, updates: 0 }).map((rate) => scalar(rate));
    return optimizer.update(tensor1d([2]), tensor1d([gradient]), [tensor1d([0]), tensor1d([0])], rates);
  };

  it('takes the decay off the weight and not into the moments, worked by hand', () => {
    // w = 2·(1 − .1·.5) = 1.9, m = .05, v = .00025, m̂ = .5, √v̂ = .5; w ← 1.9 − .1
    const { weight, slots } = step(0.5, 0.5);
    expect(weight).toBeAllClose([1.8]);
    expect(slots[0]!).toBeAllClose([0.05]);
    expect(slots[1]!).toBeAllClose([0.00025], { atol: 1e-9 });
    expect(step(0, 0.5).weight).toBeAllClose([1.9]);
  });

  it('refuses what makes no sense', () => {
    expect(() => adamW({ weightDecay: -1 })).toThrow('adamW: weightDecay must be a finite number ≥ 0, got -1.');
    expect(() => adamW({ beta2: 1 })).toThrow('beta2 must lie in [0, 1), got 1.');
    expect(() => adamW({ eps: 1 } as never)).toThrow("adamW: unknown option 'eps'");
  });
});
