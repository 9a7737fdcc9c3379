import { type Bound, createRng } from '@moe/core';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { SoundBound } from '@moe/core';
import { denseBound } from '../spectral/dense-bound.js';
import { densePowerIteration } from '../spectral/dense-power-iteration.js';
import { denseSpectralNorm } from '../spectral/dense-spectral-norm.js';
import { certifiedRadius } from './certified-radius.js';

const bound = (norm: 'L2' | 'Linf' | 'L1', value: number): SoundBound => ({ value, status: 'upper', norm, domain: 'global', method: 'test' });

describe('certifiedRadius', () => {
  it('is margin / (√2 L), margin / (2 L) and margin / L', () => {
    expect(certifiedRadius(6, bound('L2', 3))).toBeCloseTo(Math.SQRT2, 12);
    expect(certifiedRadius(6, bound('Linf', 3))).toBeCloseTo(1, 12);
    expect(certifiedRadius(6, bound('L1', 3))).toBeCloseTo(2, 12);
    expect(certifiedRadius(6, bound('Linf', 3))).toBeLessThan(1);
  });

  it('is the distance to the boundary for two opposite linear logits, and never beyond it', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const w = Array.from(createRng(seed).normal(4));
      const x = Array.from(createRng(seed + 100).normal(4));
      const kernel = { shape: [4, 2], values: w.flatMap((value) => [value, -value]) };
      const score = w.reduce((sum, value, i) => sum + value * x[i]!, 0);
      const distance = Math.abs(score) / Math.hypot(...w);
      const radius = certifiedRadius(2 * Math.abs(score), denseSpectralNorm(kernel));
      expect(radius).toBeLessThanOrEqual(distance);
      expect(radius / distance).toBeCloseTo(1, 11);
      expect(certifiedRadius(2 * Math.abs(score), denseBound(kernel))).toBeLessThanOrEqual(distance);
    }
  });

  it('is 0 without a margin, ∞ for a constant network, and no larger than the ball of a local bound', () => {
    expect(certifiedRadius(0, bound('L2', 3))).toBe(0);
    expect(certifiedRadius(-1, bound('L2', 3))).toBe(0);
    expect(certifiedRadius(1, bound('L2', 0))).toBe(Infinity);
    expect(certifiedRadius(6, { ...bound('Linf', 3), domain: { norm: 'Linf', radius: 0.5 } })).toBe(0.5);
    expect(certifiedRadius(6, bound('L2', Infinity))).toBe(0);
  });

  it('refuses lower bounds and estimates, by type and at run time', () => {
    const { bound: lower } = densePowerIteration({ shape: [1, 1], values: [2] });
    // @ts-expect-error a lower bound certifies nothing
    expect(() => certifiedRadius(1, lower)).toThrow("bound.status must be one of 'exact', 'upper', got 'lower'");
    const estimate: Bound<'estimate'> = { ...bound('L2', 2), status: 'estimate' };
    // @ts-expect-error an estimate certifies nothing
    expect(() => certifiedRadius(1, estimate)).toThrow("got 'estimate'");
    const unknown: Bound = bound('L2', 2);
    // @ts-expect-error a bound of unknown status may be either
    expect(certifiedRadius(1, unknown)).toBeGreaterThan(0);
    expectTypeOf(certifiedRadius).parameter(1).toEqualTypeOf<SoundBound>();
    expectTypeOf<Bound<'lower'>>().not.toExtend<SoundBound>();
    expectTypeOf<Bound<'exact'>>().toExtend<SoundBound>();
  });

  it('refuses a margin or bound that is not a number, and a ball of another norm', () => {
    expect(() => certifiedRadius(NaN, bound('L2', 2))).toThrow('margin must be a finite number');
    expect(() => certifiedRadius(1, bound('L2', NaN))).toThrow('bound.value must be a number ≥ 0');
    expect(() => certifiedRadius(1, { ...bound('L2', 1), domain: { norm: 'Linf', radius: 1 } })).toThrow('a ball in L2');
  });
});
