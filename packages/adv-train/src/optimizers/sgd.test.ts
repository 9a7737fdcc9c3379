import { type Tensor, scalar, tensor1d } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { Optimizer } from './optimizer.js';
import { sgd } from './sgd.js';

/** Values of a weight that starts at 1, after each gradient. */
function trace(optimizer: Optimizer, gradients: readonly number[], learningRate = 0.1): number[] {
  let weight: Tensor = tensor1d([1]);
  let slots: readonly Tensor[] = optimizer.slots.map(() => tensor1d([0]));
  return gradients.map((gradient, updates) => {
    ({ weight, slots } = optimizer.update(weight, tensor1d([gradient]), slots, optimizer.rates({ learningRate, updates }).map((rate) => scalar(rate))));
    return weight.dataSync()[0]!;
  });
}

describe('sgd', () => {
  it("follows PyTorch's Nesterov formula, worked by hand", () => {
    // d = .5 + .01·1 = .51, b = .51, w = 1 − .1(.51 + .9·.51) = .9031
    // d = −.2 + .01·.9031 = −.190969, b = .9·.51 + d = .268031, w = .9031 − .1(d + .9·.268031) = .89807411
    const weights = trace(sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.01 }), [0.5, -0.2]);
    expect(weights[0]).toBeCloseTo(0.9031, 6);
    expect(weights[1]).toBeCloseTo(0.89807411, 6);
  });

  it('moves by the buffer without Nesterov', () => {
    // b = .5, w = .95; b = .9·.5 − .2 = .25, w = .925
    const weights = trace(sgd({ momentum: 0.9 }), [0.5, -0.2]);
    expect(weights[0]).toBeCloseTo(0.95, 6);
    expect(weights[1]).toBeCloseTo(0.925, 6);
  });

  it('keeps nothing without momentum', () => {
    expect(sgd().slots).toEqual([]);
    expect(trace(sgd({ weightDecay: 0.1 }), [0.5])[0]).toBeCloseTo(1 - 0.1 * 0.6, 6);
  });

  it('refuses what makes no sense', () => {
    expect(() => sgd({ nesterov: true })).toThrow('sgd: momentum must be > 0 with nesterov, got 0.');
    expect(() => sgd({ momentum: -1 })).toThrow('momentum');
    expect(() => sgd({ decay: 1 } as never)).toThrow("unknown option 'decay'");
  });
});
