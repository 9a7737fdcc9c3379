import { createRng, isMoeError } from '@moe/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { svdNorm } from '../internal/oracles.js';
import { denseBound } from './dense-bound.js';
import { densePowerIteration } from './dense-power-iteration.js';
import { denseSpectralNorm } from './dense-spectral-norm.js';

const matrix = (rows: number[][]): { shape: number[]; values: number[] } => ({ shape: [rows.length, rows[0]!.length], values: rows.flat() });
const gaussian = (rows: number, cols: number, seed: number): { shape: number[]; values: Float32Array } => ({
  shape: [rows, cols],
  values: createRng(seed).normal(rows * cols),
});

function hadamard(n: number): number[][] {
  if (n === 1) return [[1]];
  const half = hadamard(n / 2);
  return [...half.map((row) => [...row, ...row]), ...half.map((row) => [...row, ...row.map((value) => -value)])];
}

const CLOSED_FORMS: [string, number[][], number][] = [
  ['a diagonal: its largest entry', [[3, 0, 0], [0, -7, 0], [0, 0, 2]], 7],
  ['rank 1: ‖u‖ ‖v‖ = 3 · 5', [[1 * 3, 1 * 4], [2 * 3, 2 * 4], [-2 * 3, -2 * 4]], 15],
  ['a permutation: 1', [[0, 1, 0], [0, 0, 1], [1, 0, 0]], 1],
  ['a rotation: 1', [[0.6, 0.8], [-0.8, 0.6]], 1],
  ['Hadamard of order 8: √8', hadamard(8), Math.sqrt(8)],
  // σ² = (s + √(s² − 4 det²)) / 2 with s = 1 + 4 + 9 + 16 = 30, det = −2.
  ['[[1, 2], [3, 4]]', [[1, 2], [3, 4]], Math.sqrt((30 + Math.sqrt(30 ** 2 - 16)) / 2)],
  ['one row: its length', [[3, 4]], 5],
];

describe('denseSpectralNorm', () => {
  it.each(CLOSED_FORMS)('is exact for %s', (_, rows, expected) => {
    const { value, status } = denseSpectralNorm(matrix(rows));
    expect(status).toBe('exact');
    expect(value).toBeGreaterThanOrEqual(expected * (1 - 1e-15));
    expect(value).toBeLessThanOrEqual(expected * (1 + 1e-12));
  });

  it.each([[1, 9], [9, 1], [40, 25], [25, 40]])('agrees with an independent SVD for %i×%i', (rows, cols) => {
    const kernel = gaussian(rows, cols, 3);
    expect(denseSpectralNorm(kernel).value / svdNorm(rows, cols, kernel.values)).toBeCloseTo(1, 11);
  });

  it('is 0 for zeros, and exact at magnitudes whose squares leave the range of a float', () => {
    expect(denseSpectralNorm(matrix([[0, 0], [0, 0]])).value).toBe(0);
    for (const scale of [1e-200, 1e200]) expect(denseSpectralNorm(matrix([[3 * scale, 0], [0, 4 * scale]])).value / scale).toBeCloseTo(4, 11);
  });

  it('refuses a matrix that is too large on both sides', () => {
    expect(() => denseSpectralNorm({ shape: [257, 257], values: new Float32Array(257 * 257) })).toThrow('Use denseBound');
  });
});

describe('denseBound', () => {
  it.each(CLOSED_FORMS)('is just above the norm of %s', (_, rows, expected) => {
    const bound = denseBound(matrix(rows), { iterations: 12 });
    expect(bound.status).toBe('upper');
    expect(bound.value).toBeGreaterThanOrEqual(expected);
    expect(bound.value).toBeLessThanOrEqual(expected * 8 ** (1 / 2 ** 13) * (1 + 1e-12));
  });

  it('is the Frobenius norm before the first squaring, falls with every one, and stays above σ by at most r^(2^-(t+1))', () => {
    const kernel = gaussian(30, 20, 5);
    const sigma = svdNorm(30, 20, kernel.values);
    const values = Array.from({ length: 14 }, (_, iterations) => denseBound(kernel, { iterations }).value);
    expect(values[0]).toBeCloseTo(Math.hypot(...kernel.values), 9);
    values.forEach((value, t) => {
      expect(value).toBeGreaterThan(sigma);
      expect(value / sigma).toBeLessThan(20 ** (2 ** -(t + 1)) + 1e-9);
      if (t > 0) expect(value).toBeLessThanOrEqual(values[t - 1]! * (1 + 1e-13));
      if (t > 0 && t < 6) expect(value).toBeLessThan(values[t - 1]!);
    });
  });

  it('lies between a power iteration below and the Frobenius norm above, for any matrix', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 1e6 }), fc.double({ min: -8, max: 8, noNaN: true }), (rows, cols, seed, exponent) => {
        const { shape, values } = gaussian(rows, cols, seed);
        const kernel = { shape, values: Float64Array.from(values, (value) => value * 10 ** exponent) };
        const lower = densePowerIteration(kernel).bound.value;
        const exact = denseSpectralNorm(kernel).value;
        expect(lower).toBeLessThanOrEqual(exact);
        // Both are rounded outward, the exact one by at most 1e-11 here.
        expect(exact).toBeLessThanOrEqual(denseBound(kernel, { iterations: 6 }).value * (1 + 1e-11));
        expect(lower).toBeGreaterThan(0.5 * exact);
      }),
      { seed: 11, numRuns: 50 },
    );
  });

  it('shows its own rounding above the norm, where nothing else is left', () => {
    // All singular values of the identity are equal, the slowest case; after 30 squarings only rounding is left.
    const n = 64;
    const kernel = { shape: [n, n], values: Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)) };
    const { value } = denseBound(kernel, { iterations: 30 });
    expect(value).toBeGreaterThan(1);
    expect(value).toBeLessThan(1 + 1e-7);
  });

  it('sums absolute values over inputs for Linf and over outputs for L1', () => {
    // Kernel [in, out]: output 0 sees |1| + |−2|, output 1 sees |3| + |4|; input 0 feeds |1| + |3|, input 1 |−2| + |4|.
    const kernel = matrix([[1, 3], [-2, 4]]);
    expect(denseBound(kernel, { norm: 'Linf' })).toMatchObject({ status: 'exact', norm: 'Linf', domain: 'global', value: expect.closeTo(7, 12) });
    expect(denseBound(kernel, { norm: 'L1' })).toMatchObject({ status: 'exact', norm: 'L1', value: expect.closeTo(6, 12) });
  });

  it('names a weight that is not finite, a wrong rank, a wrong length and an unknown option', () => {
    const caught = (fn: () => unknown): unknown => {
      try {
        return fn();
      } catch (error) {
        return error;
      }
    };
    expect(isMoeError(caught(() => denseBound(matrix([[1, NaN]]))), 'NUMERICS')).toBe(true);
    expect(() => denseBound(matrix([[1, Infinity]]))).toThrow('kernel[1] must be finite, got Infinity');
    expect(isMoeError(caught(() => denseBound({ shape: [4], values: [1, 2, 3, 4] })), 'SHAPE')).toBe(true);
    expect(() => denseBound({ shape: [2, 2], values: [1, 2, 3] })).toThrow('kernel.values must have 4 entries');
    expect(() => denseBound(matrix([[1]]), { iteration: 3 } as object)).toThrow("Did you mean 'iterations'?");
    expect(() => denseBound(matrix([[1]]), { iterations: -1 })).toThrow('iterations must be an integer in [0, 30]');
  });
});

describe('densePowerIteration', () => {
  it('is a lower bound that its vector reaches, and a warm start continues where the last call ended', () => {
    const kernel = gaussian(20, 30, 7);
    const exact = svdNorm(20, 30, kernel.values);
    const first = densePowerIteration(kernel, { iterations: 3 });
    const continued = densePowerIteration(kernel, { iterations: 3, start: first.vector });
    expect(first.bound.status).toBe('lower');
    expect(continued.bound.value).toBeCloseTo(densePowerIteration(kernel, { iterations: 6 }).bound.value, 12);
    expect(first.bound.value).toBeLessThan(continued.bound.value);
    expect(continued.bound.value).toBeLessThan(exact);
    const image = Array.from({ length: 30 }, (_, o) => first.vector.reduce((sum, x, i) => sum + x * kernel.values[i * 30 + o]!, 0));
    expect(Math.hypot(...image)).toBeCloseTo(first.bound.value, 10);
  });

  it('gives 0 for zeros and refuses a start of another length', () => {
    expect(densePowerIteration(matrix([[0, 0]])).bound.value).toBe(0);
    expect(() => densePowerIteration(matrix([[1, 2]]), { start: new Float64Array(2) })).toThrow('start must have 1 entries');
    expect(() => densePowerIteration(matrix([[1, 2]]), { start: new Float64Array(1) })).toThrow('other than zero');
  });
});
