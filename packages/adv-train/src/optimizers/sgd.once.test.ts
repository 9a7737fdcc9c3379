import { describe, expect, it } from 'vitest';
import { sgd } from './sgd.js';

function trace(optimizer: ReturnType<typeof sgd>, gradients: readonly number[], learningRate = 0.1): number[] {
  const weight = Float32Array.of(1);
  const slots = optimizer.slots.map(() => new Float32Array(1));
  return gradients.map((gradient, updates) => {
    optimizer.update(weight, Float32Array.of(gradient), slots, { learningRate, updates });
    return weight[0]!;
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

  it('does not change the gradient', () => {
    const gradient = Float32Array.of(0.5);
    sgd({ momentum: 0.9, weightDecay: 1 }).update(Float32Array.of(1), gradient, [Float32Array.of(0)], { learningRate: 1, updates: 0 });
    expect(gradient[0]).toBe(0.5);
  });

  it('refuses what makes no sense', () => {
    expect(() => sgd({ nesterov: true })).toThrow('sgd: momentum must be > 0 with nesterov, got 0.');
    expect(() => sgd({ momentum: -1 })).toThrow('momentum');
    expect(() => sgd({ decay: 1 } as never)).toThrow("unknown option 'decay'");
  });
});
