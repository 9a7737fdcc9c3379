import { createRng } from '@moe/core';
import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { convMatrix, svdNorm } from '../internal/oracles.js';
import { convBound } from './conv-bound.js';
import { convSingularValues } from './conv-singular-values.js';
import { convSpatialGramBound } from './conv-spatial-gram-bound.js';

const gaussian = (shape: number[], seed: number) => ({ shape, values: Float64Array.from(createRng(seed).normal(shape.reduce((a, b) => a * b))) });

describe('convSingularValues', () => {
  it.each([
    { k: 3, cin: 2, cout: 3, size: 5, stride: 1, dilation: 1 },
    { k: 3, cin: 3, cout: 2, size: 4, stride: 1, dilation: 1 },
    { k: 3, cin: 2, cout: 2, size: 6, stride: 2, dilation: 1 },
    { k: 2, cin: 1, cout: 5, size: 4, stride: 2, dilation: 1 },
    { k: 2, cin: 2, cout: 2, size: 5, stride: 1, dilation: 2 },
    { k: 1, cin: 2, cout: 3, size: 4, stride: 2, dilation: 1 },
  ])('are those of the explicit matrix: $k×$k, $cin to $cout channels, size $size, stride $stride, dilation $dilation', ({ k, cin, cout, size, stride, dilation }) => {
    const kernel = gaussian([k, k, cin, cout], 7 * k + cin);
    const { rows, cols, values } = convMatrix(kernel, { size, stride, dilation, padding: 'circular' });
    const exact = new SingularValueDecomposition(Matrix.from1DArray(rows, cols, Array.from(values)), { autoTranspose: true }).diagonal.filter((value) => value > 1e-5).sort((a, b) => b - a);
    const found = convSingularValues(kernel, { inputSize: size, strides: stride, dilations: dilation });
    const positive = found.values.filter((value) => value > 1e-5);
    expect(positive).toHaveLength(exact.length);
    positive.forEach((value, i) => expect(value).toBeCloseTo(exact[i]!, 4));
    expect(found.error).toBeLessThan(1e-10);
    expect(found.bound).toMatchObject({ status: 'exact', norm: 'L2', domain: 'global' });
    expect(found.bound.value).toBeGreaterThanOrEqual(found.values[0]!);
    expect(found.bound.value).toBeLessThanOrEqual(convBound(kernel, { inputSize: size, strides: stride, dilations: dilation, padding: 'circular' }).value * (1 + 1e-11));
  });

  it('keep the sum of squares: every weight at every output', () => {
    const kernel = gaussian([3, 3, 4, 5], 2);
    const { values } = convSingularValues(kernel, { inputSize: 6 });
    expect(values).toHaveLength(36 * 4);
    expect(values.reduce((sum, value) => sum + value ** 2, 0)).toBeCloseTo(36 * kernel.values.reduce((sum, value) => sum + value ** 2, 0), 8);
  });

  it('of a kernel that copies are ones, of a zero kernel zeros, of huge and tiny ones no accident', () => {
    const copy = { shape: [3, 3, 2, 2], values: Float64Array.from({ length: 36 }, (_, k) => (k === 16 || k === 19 ? 1 : 0)) };
    expect(Array.from(convSingularValues(copy, { inputSize: 4 }).values)).toEqual(new Array(32).fill(expect.closeTo(1, 12)));
    expect(convSingularValues({ shape: [3, 3, 1, 1], values: new Float64Array(9) }, { inputSize: 4 }).bound.value).toBe(0);
    const kernel = gaussian([3, 3, 2, 2], 4);
    const one = convSingularValues(kernel, { inputSize: 5 }).values[0]!;
    for (const factor of [1e-200, 1e200]) expect(convSingularValues({ ...kernel, values: kernel.values.map((value) => value * factor) }, { inputSize: 5 }).values[0]! / factor).toBeCloseTo(one, 10);
  });
});

describe('convSpatialGramBound', () => {
  it('is never below the explicit matrix, zero-padded or circular, strided or not, in 120 random cases, and falls with its steps', () => {
    for (let seed = 1; seed <= 120; seed++) {
      const rng = createRng(seed);
      const pick = (...choices: number[]): number => choices[rng.integers(1, choices.length)[0]!]!;
      const [k, cin, cout, stride] = [pick(1, 2, 3), pick(1, 2), pick(1, 2, 3), pick(1, 1, 2)] as const;
      const kernel = gaussian([k, k, cin, cout], seed);
      const values = [1, 2, 3].map((iterations) => convSpatialGramBound(kernel, { strides: stride, iterations }).value);
      for (const padding of ['same', 'circular', 1] as const) {
        const { rows, cols, values: matrix } = convMatrix(kernel, { size: 4, stride, dilation: 1, padding });
        expect(values[2], `${seed} ${padding}`).toBeGreaterThan(svdNorm(rows, cols, matrix) * (1 - 1e-6));
      }
      expect(values[1]).toBeLessThanOrEqual(values[0]! * (1 + 1e-12));
      expect(values[2]).toBeLessThanOrEqual(values[1]! * (1 + 1e-12));
    }
  });

  it('comes close to the norm on a large image', () => {
    const kernel = gaussian([3, 3, 3, 3], 6);
    const large = convBound(kernel, { inputSize: 32, padding: 'same' }).value;
    expect(convSpatialGramBound(kernel, { iterations: 3 }).value / large).toBeWithin(0.99, 1.35);
  });

  it('is 1 for a kernel that copies', () => {
    expect(convSpatialGramBound({ shape: [3, 3, 1, 1], values: [0, 0, 0, 0, 1, 0, 0, 0, 0] }).value).toBeCloseTo(1, 12);
  });
});
