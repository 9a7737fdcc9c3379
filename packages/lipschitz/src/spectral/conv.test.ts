import { createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import type { Kernel } from '../internal/arrays.js';
import { convMatrix, svdNorm } from '../internal/oracles.js';
import { convBound } from './conv-bound.js';
import { convPowerIteration } from './conv-power-iteration.js';
import { convSingularValues } from './conv-singular-values.js';
import { denseBound } from './dense-bound.js';
import { denseSpectralNorm } from './dense-spectral-norm.js';

const kernelOf = (shape: number[], values: ArrayLike<number>): Kernel => ({ shape, values: Float64Array.from(values) });
const gaussian = (shape: number[], seed: number): Kernel => kernelOf(shape, createRng(seed).normal(shape.reduce((a, b) => a * b)));
const CLOSE = 14;

describe('convBound', () => {
  it.each([[3, 1, [9, 8]], [3, 2, [12, 10]], [2, 1, [7, 1]], [1, 1, [3, 3]]] as const)('is just above the largest singular value where a few frequencies stand for all: %i taps, stride %i, %j pixels', (k, strides, inputSize) => {
    const kernel = gaussian([k, Math.min(k, inputSize[1]), 3, 4], 7 * k + strides);
    const [largest] = convSingularValues(kernel, { inputSize, strides }).values;
    expect(convBound(kernel, { inputSize, strides, padding: 'circular' }).value / largest!).toBeWithin(1 - 1e-12, 1 + 1e-10);
  });

  it('is 1 for a kernel that copies, whatever the padding', () => {
    const kernel = kernelOf([3, 3, 1, 1], [0, 0, 0, 0, 1, 0, 0, 0, 0]);
    for (const padding of ['same', 'circular', 'valid', 2] as const) {
      const { value, status } = convBound(kernel, { inputSize: 7, padding });
      expect(status).toBe('upper');
      expect(value).toBeGreaterThanOrEqual(1);
      expect(value).toBeLessThan(1 + 1e-12);
    }
  });

  it('is 1 for a circular mean, and 2 for a circular difference of an even number of pixels', () => {
    expect(convBound(kernelOf([3, 3, 1, 1], new Array(9).fill(1 / 9)), { inputSize: 6, padding: 'circular' }).value).toBeCloseTo(1, 12);
    const difference = kernelOf([1, 2, 1, 1], [-1, 1]);
    expect(convBound(difference, { inputSize: [1, 6], padding: 'circular' }).value).toBeCloseTo(2, 12);
    // An odd ring misses the frequency π: 2 cos(π / 10).
    expect(convBound(difference, { inputSize: [1, 5], padding: 'circular' }).value).toBeCloseTo(2 * Math.cos(Math.PI / 10), 12);
  });

  it('is the dense norm of a 1×1 kernel, strided or not', () => {
    const kernel = gaussian([1, 1, 5, 7], 3);
    const dense = denseBound({ shape: [5, 7], values: kernel.values }).value;
    for (const strides of [1, 2]) expect(convBound(kernel, { inputSize: 6, strides, padding: 'same' }).value).toBeCloseTo(dense, 10);
  });

  it.each([
    { k: 3, stride: 1, dilation: 1, size: 5 },
    { k: 3, stride: 1, dilation: 2, size: 5 },
    { k: 3, stride: 2, dilation: 1, size: 6 },
    { k: 2, stride: 2, dilation: 1, size: 4 },
    { k: 3, stride: 3, dilation: 1, size: 6 },
  ])('equals the explicit matrix with circular padding: $k×$k, stride $stride, dilation $dilation', ({ k, stride, dilation, size }) => {
    const kernel = gaussian([k, k, 2, 3], 10 * k + stride);
    const { rows, cols, values } = convMatrix(kernel, { size, stride, dilation, padding: 'circular' });
    const bound = convBound(kernel, { inputSize: size, strides: stride, dilations: dilation, padding: 'circular', iterations: CLOSE }).value;
    expect(bound / svdNorm(rows, cols, values)).toBeCloseTo(1, 3);
    expect(bound).toBeGreaterThan(svdNorm(rows, cols, values) * (1 - 1e-6));
  });

  it('is never below the explicit matrix with zero padding, in 300 random cases', () => {
    let checked = 0;
    for (let seed = 1; checked < 300; seed++) {
      const rng = createRng(seed);
      const pick = (...choices: number[]): number => choices[rng.integers(1, choices.length)[0]!]!;
      const [size, k, cin, cout, stride] = [pick(1, 2, 3, 4, 5), pick(1, 2, 3, 4), pick(1, 2), pick(1, 2), pick(1, 1, 2, 3)] as const;
      // tfjs knows no strides together with dilations.
      const dilation = stride === 1 ? pick(1, 1, 2) : 1;
      const padding = (['same', 'valid', 1, 2] as const)[pick(0, 1, 2, 3)]!;
      const zeros = typeof padding === 'number' ? padding : 0;
      if (padding !== 'same' && size + 2 * zeros < (k - 1) * dilation + 1) continue;
      const kernel = kernelOf([k, k, cin, cout], rng.normal(k * k * cin * cout));
      const { rows, cols, values } = convMatrix(kernel, { size, stride, dilation, padding });
      const exact = svdNorm(rows, cols, values);
      const options = { inputSize: size, strides: stride, dilations: dilation, padding };
      const label = JSON.stringify({ ...options, k, cin, cout, seed });
      expect(convBound(kernel, options).value, label).toBeGreaterThan(exact * (1 - 1e-6));
      expect(convPowerIteration(kernel, { ...options, iterations: 40 }).bound.value, label).toBeWithin(0.8 * exact, exact * (1 + 1e-6));

      const columns = Array.from({ length: cols }, (_, o) => values.filter((_v, i) => i % cols === o).reduce((sum, v) => sum + Math.abs(v), 0));
      const lines = Array.from({ length: rows }, (_, i) => values.slice(i * cols, (i + 1) * cols).reduce((sum, v) => sum + Math.abs(v), 0));
      expect(convBound(kernel, { ...options, norm: 'Linf' }).value, label).toBeAllClose(Math.max(...columns), { rtol: 1e-5 });
      expect(convBound(kernel, { ...options, norm: 'L1' }).value, label).toBeAllClose(Math.max(...lines), { rtol: 1e-5 });
      checked++;
    }
  });

  it('holds where the ring of the image length fails: a stored counter-example', () => {
    // 3×3 image, zero padding 1. On the ring of length 3 the largest |K̂| is √21 = 4.583; the true norm is 6.135.
    const kernel = kernelOf([3, 3, 1, 1], [0, -1, 1, -2, 2, -1, 1, 1, 2]);
    const { rows, cols, values } = convMatrix(kernel, { size: 3, stride: 1, dilation: 1, padding: 'same' });
    const exact = svdNorm(rows, cols, values);
    expect(exact).toBeCloseTo(6.13501, 4);
    expect(convBound(kernel, { inputSize: 3, padding: 'circular' }).value).toBeCloseTo(Math.sqrt(21), 9);
    expect(convBound(kernel, { inputSize: 3, padding: 'same' }).value).toBeGreaterThan(exact);
  });

  it('is close to the true norm of a layer as networks have it', () => {
    const kernel = gaussian([3, 3, 4, 4], 21);
    const bound = convBound(kernel, { inputSize: 16, padding: 'same' }).value;
    const lower = convPowerIteration(kernel, { inputSize: 16, padding: 'same', iterations: 200 }).bound.value;
    expect(bound / lower).toBeWithin(1, 1.05);
  });

  it('falls with every squaring, from the largest Frobenius norm of the symbol', () => {
    const kernel = gaussian([3, 3, 6, 6], 5);
    const values = Array.from({ length: 10 }, (_, iterations) => convBound(kernel, { inputSize: 8, padding: 'same', iterations }).value);
    for (let t = 1; t < values.length; t++) expect(values[t]).toBeLessThanOrEqual(values[t - 1]! * (1 + 1e-12));
    expect(values[9]! / values[0]!).toBeLessThan(0.7);
  });

  it('is exact in Linf also where no output sees the whole kernel', () => {
    // A 3×3 kernel of ones on a 2×2 image with padding 1: every output sees four ones.
    const kernel = kernelOf([3, 3, 1, 1], new Array(9).fill(1));
    expect(convBound(kernel, { inputSize: 2, padding: 'same', norm: 'Linf' }).value).toBeCloseTo(4, 12);
    expect(convBound(kernel, { inputSize: 4, padding: 'same', norm: 'Linf' }).value).toBeCloseTo(9, 12);
  });

  it('refuses what it cannot bound, by name', () => {
    const kernel = gaussian([3, 3, 1, 1], 1);
    expect(() => convBound(gaussian([3, 3], 1), { inputSize: 4, padding: 'same' })).toThrow('kernel must have shape [kh,kw,cin,cout]');
    expect(() => convBound(kernel, { inputSize: 2, padding: 'valid' })).toThrow('inputSize (height) must be at least 3');
    expect(() => convBound(kernel, { inputSize: 5, strides: 2, padding: 'circular' })).toThrow('multiple of the stride 2');
    expect(() => convBound(kernel, { inputSize: 5, padding: 'reflect' as 'same' })).toThrow("padding must be 'same'");
    expect(() => convBound(kernel, { inputSize: 5, padding: -1 })).toThrow('padding must be an integer ≥ 0');
  });
});

describe('convPowerIteration', () => {
  it('approaches the norm of the explicit matrix, and a warm start helps', () => {
    const kernel = gaussian([3, 3, 2, 2], 8);
    const { rows, cols, values } = convMatrix(kernel, { size: 5, stride: 2, dilation: 1, padding: 'same' });
    const exact = denseSpectralNorm({ shape: [rows, cols], values }).value;
    const options = { inputSize: 5, strides: 2, padding: 'same' } as const;
    const { bound, vector } = convPowerIteration(kernel, { ...options, iterations: 300 });
    expect(bound.value / exact).toBeCloseTo(1, 5);
    const cold = convPowerIteration(kernel, { ...options, iterations: 1 }).bound.value;
    const warm = convPowerIteration(kernel, { ...options, iterations: 1, start: vector }).bound.value;
    expect(warm).toBeGreaterThan(cold);
    expect(vector).toHaveLength(5 * 5 * 2);
  });
});
