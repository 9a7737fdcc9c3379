import { describe, expect, it } from 'vitest';
import { adam } from './adam.js';

describe('adam', () => {
  it('follows the formulas, worked by hand', () => {
    const weight = Float32Array.of(1);
    const slots = [new Float32Array(1), new Float32Array(1)];
    const step = (gradient: number, updates: number): void => adam().update(weight, Float32Array.of(gradient), slots, { learningRate: 0.1, updates });
    // m = .05, v = .00025; m̂ = .5, v̂ = .25; w = 1 − .1·.5/.5
    step(0.5, 0);
    expect(weight[0]).toBeCloseTo(0.9, 6);
    // m = .9·.05 − .1·.1 = .035, v = .999·.00025 + .001·.01 = .00025975; m̂ = .035/.19, v̂ = v/.001999; w = .9 − .1·.1842105/.3604719
    step(-0.1, 1);
    expect(weight[0]).toBeCloseTo(0.8488974, 6);
  });

  it('adds the decay to the gradient', () => {
    const weight = Float32Array.of(2);
    const m = new Float32Array(1);
    adam({ weightDecay: 0.5 }).update(weight, Float32Array.of(0), [m, new Float32Array(1)], { learningRate: 0.1, updates: 0 });
    expect(m[0]).toBeCloseTo(0.1, 6); // (1 − .9)·.5·2
    expect(weight[0]).toBeCloseTo(1.9, 6);
  });

  it('refuses what makes no sense', () => {
    expect(() => adam({ beta1: 1 })).toThrow('adam: beta1 must lie in [0, 1), got 1.');
    expect(() => adam({ eps: 1 } as never)).toThrow("unknown option 'eps'");
  });
});
