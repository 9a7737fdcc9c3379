import { type Tensor, scalar, tensor1d } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { type AdamOptions, adam } from './adam.js';
import type { UpdateContext } from './optimizer.js';

function update(weight: Tensor, gradient: Tensor, slots: readonly Tensor[], context: UpdateContext, options: AdamOptions = {}) {
  const optimizer = adam(options);
  return optimizer.update(weight, gradient, slots, optimizer.rates(context).map((rate) => scalar(rate)));
}

describe('adam', () => {
  it('follows the formulas, worked by hand', () => {
    // m = .05, v = .00025; m̂ = .5, v̂ = .25; w = 1 − .1·.5/.5
    const first = update(tensor1d([1]), tensor1d([0.5]), [tensor1d([0]), tensor1d([0])], { learningRate: 0.1, updates: 0 });
    expect(first.weight).toBeAllClose([0.9]);
    // m = .9·.05 − .1·.1 = .035, v = .999·.00025 + .001·.01 = .00025975; m̂ = .035/.19, v̂ = v/.001999; w = .9 − .1·.1842105/.3604719
    const second = update(first.weight, tensor1d([-0.1]), first.slots, { learningRate: 0.1, updates: 1 });
    expect(second.weight).toBeAllClose([0.8488974]);
    expect(second.slots[0]!).toBeAllClose([0.035]);
    expect(second.slots[1]!).toBeAllClose([0.00025975], { atol: 1e-9 });
  });

  it('adds the decay to the gradient', () => {
    const { weight, slots } = update(tensor1d([2]), tensor1d([0]), [tensor1d([0]), tensor1d([0])], { learningRate: 0.1, updates: 0 }, { weightDecay: 0.5 });
    expect(slots[0]!).toBeAllClose([0.1]); // (1 − .9)·.5·2
    expect(weight).toBeAllClose([1.9]);
  });

  it('refuses what makes no sense', () => {
    expect(() => adam({ beta1: 1 })).toThrow('adam: beta1 must lie in [0, 1), got 1.');
    expect(() => adam({ eps: 1 } as never)).toThrow("unknown option 'eps'");
  });
});
