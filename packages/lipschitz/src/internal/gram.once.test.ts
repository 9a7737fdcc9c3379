import { describe, expect, it } from 'vitest';
import { frobeniusNorm, gramBound, startGram, stepGram } from './gram.js';

describe('gramBound', () => {
  it('unrolls the squarings and adds the rounding of each', () => {
    const matrix = { rows: 1, cols: 1, re: Float64Array.of(1) };
    expect(gramBound({ matrix, norms: [3], slacks: [] })).toBe(3);
    // 3 · √(1 + 0.21) = 3.3; then 3 · √(5 · √(0.5 + 0.14) + 0.41) = 3 · √4.41 = 6.3
    expect(gramBound({ matrix, norms: [3, 1], slacks: [0.21] })).toBeCloseTo(3.3, 12);
    expect(gramBound({ matrix, norms: [3, 5, 0.5], slacks: [0.41, 0.14] })).toBeCloseTo(6.3, 12);
  });
});

describe('stepGram', () => {
  it('multiplies a complex matrix with its conjugate transpose', () => {
    // [1, i; 2, 0] times its conjugate transpose is [2, 2; 2, 4]; the state holds it at norm 1, that is divided by √28.
    const { matrix, norms } = stepGram(startGram({ rows: 2, cols: 2, re: Float64Array.of(1, 0, 2, 0), im: Float64Array.of(0, 1, 0, 0) }));
    expect(Array.from(matrix.re, (value) => value * Math.sqrt(28))).toEqual([2, 2, 2, 4].map((value) => expect.closeTo(value, 12)));
    expect(Math.max(...matrix.im!.map(Math.abs))).toBe(0);
    // The matrix itself was divided by its norm √6 first.
    expect(norms).toEqual([expect.closeTo(Math.sqrt(6), 12), expect.closeTo(Math.sqrt(28) / 6, 12)]);
    // [1; i]: [1, −i; i, 1].
    const column = stepGram(startGram({ rows: 2, cols: 1, re: Float64Array.of(1, 0), im: Float64Array.of(0, 1) }));
    expect(Array.from(column.matrix.im!, (value) => value * 2)).toEqual([expect.closeTo(0, 12), expect.closeTo(-1, 12), expect.closeTo(1, 12), expect.closeTo(0, 12)]);
  });

  it('leaves zeros alone', () => {
    expect(gramBound(stepGram(startGram({ rows: 2, cols: 2, re: new Float64Array(4) })))).toBe(0);
  });
});

describe('frobeniusNorm', () => {
  it('neither overflows nor underflows', () => {
    expect(frobeniusNorm(Float64Array.of(3e200), Float64Array.of(4e200)) / 1e200).toBeCloseTo(5, 12);
    expect(frobeniusNorm(Float64Array.of(3e-200, 4e-200)) / 1e-200).toBeCloseTo(5, 12);
  });
});
