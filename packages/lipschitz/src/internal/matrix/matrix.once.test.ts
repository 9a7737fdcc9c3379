import '@moe/testing';
import { createRng } from '@moe/core';
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import type { ComplexMatrix } from '../gram.js';
import { type Hermitian, factorSlack, factorises, gramSlack, rowAt, rowGram } from './hermitian.js';
import { loopProducts, products } from './products.js';
import { provedLimit } from './proved-norm.js';

const random = (rows: number, cols: number, seed: number, complex = true): ComplexMatrix => ({
  rows,
  cols,
  re: Float64Array.from(createRng(seed).normal(rows * cols)),
  ...(complex && { im: Float64Array.from(createRng(seed).at(1).normal(rows * cols)) }),
});

/** Entry of a Hermitian matrix. */
function entry({ re, im }: Hermitian, i: number, j: number): readonly [number, number] {
  const at = rowAt(Math.max(i, j)) + Math.min(i, j);
  return [re[at]!, i === j ? 0 : (i > j ? 1 : -1) * (im?.[at] ?? 0)];
}

/** Largest eigenvalue, as one of the real matrix `[[R, −I], [I, R]]`. */
function largestEigenvalue(h: Hermitian): number {
  const n = h.size;
  const real = new Matrix(2 * n, 2 * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const [re, im] = entry(h, i, j);
      real.set(i, j, re);
      real.set(n + i, n + j, re);
      real.set(i, n + j, -im);
      real.set(n + i, j, im);
    }
  }
  return Math.max(...new EigenvalueDecomposition(real, { assumeSymmetric: true }).realEigenvalues);
}

describe('products', () => {
  it('are those of plain loops, bit for bit, at any place and with both signs', () => {
    for (const [rows, columns, inner, seed] of [[2, 4, 8, 1], [6, 12, 24, 2], [10, 4, 64, 3]] as const) {
      const stepA = inner + 2;
      const results = [products(), loopProducts()].map(({ arrays, add }) => {
        const [a, b, c] = arrays([2 + rows * stepA, columns * inner, 3 + rows * columns * 2]);
        a.set(createRng(seed).normal(a.length));
        b.set(createRng(seed).at(1).normal(b.length));
        c.set(createRng(seed).at(2).normal(c.length));
        for (const sign of [1, -1, 1] as const) add({ array: c, from: 2, step: columns * 2 }, { array: a, from: 2, step: stepA }, { array: b, from: 0, step: inner }, rows, columns, inner, sign);
        return Array.from(c);
      });
      expect(results[0]).toEqual(results[1]);
      expect(results[0]).not.toEqual(Array.from(createRng(seed).at(2).normal(results[0]!.length)));
    }
  });

  it('run compiled here', () => {
    expect(products().arrays([1])[0].buffer.byteLength).toBeGreaterThanOrEqual(65536);
  });
});

describe('rowGram', () => {
  it.each([[1, 1], [3, 7], [5, 4], [9, 20], [2, 1100]])('multiplies %i×%i with its conjugate transpose within its slack', (rows, cols) => {
    for (const complex of [true, false]) {
      const matrix = random(rows, cols, rows + cols, complex);
      const gram = rowGram(matrix);
      let square = 0;
      let off = 0;
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j <= i; j++) {
          let [re, im] = [0, 0];
          for (let k = 0; k < cols; k++) {
            const [a, b, p, q] = [matrix.re[i * cols + k]!, matrix.im?.[i * cols + k] ?? 0, matrix.re[j * cols + k]!, matrix.im?.[j * cols + k] ?? 0];
            re += a * p + b * q;
            im += b * p - a * q;
            if (i === j) square += a * a + b * b;
          }
          off = Math.max(off, Math.abs(entry(gram, i, j)[0] - re), Math.abs(entry(gram, i, j)[1] - im));
        }
      }
      expect(off).toBeLessThan(gramSlack(cols) * square);
      expect(gramSlack(cols)).toBeLessThan(1e-11);
    }
  });
});

describe('factorises', () => {
  it('tells on which side of the largest eigenvalue a shift lies', () => {
    // [[2, −i], [i, 2]] has the eigenvalues 1 and 3.
    const h: Hermitian = { size: 2, re: Float64Array.of(2, 0, 2), im: Float64Array.of(0, 1, 0) };
    expect([3 + 1e-12, 3 - 1e-12, 1.5].map((shift) => factorises(h, shift))).toEqual([true, false, false]);
    expect(factorises({ size: 1, re: Float64Array.of(NaN) }, 1)).toBe(false);
  });

  it.each([3, 8, 13, 30])('of %i random rows too, real and complex', (n) => {
    for (const complex of [true, false]) {
      const h = rowGram(random(n, n + 3, n, complex));
      const largest = largestEigenvalue(h);
      expect(factorises(h, largest * (1 + 1e-11))).toBe(true);
      expect(factorises(h, largest * (1 - 1e-11))).toBe(false);
      expect(factorSlack(n)).toBeLessThan(1e-11);
    }
  });
});

describe('provedLimit', () => {
  it('is just above the largest eigenvalue of all, and carries the errors of the matrices', () => {
    for (const complex of [true, false]) {
      const matrices = [1, 2, 3, 4].map((seed) => rowGram(random(24, 24, seed, complex)));
      const largest = Math.max(...matrices.map(largestEigenvalue));
      const limit = (error: number): number => provedLimit(matrices.length, (index) => ({ matrix: matrices[index]!, error }));
      expect(limit(0)).toBeWithin(largest * (1 - 1e-13), largest * (1 + 1e-9));
      expect(limit(5)).toBeWithin(largest + 5, largest + 15);
    }
  });

  it('does not take the word of Lanczos: an eigenvector that its start does not have is found by the failing proof', () => {
    // I + 3 v vᵀ, where v has no part in the start vector, of which every step stays a multiple.
    const n = 12;
    const start = Array.from({ length: n }, (_, i) => (((i + 1) * 0.6180339887498949) % 1) - 0.499);
    const v = new Array<number>(n).fill(0);
    const norm = Math.hypot(start[0]!, start[1]!);
    [v[0], v[1]] = [start[1]! / norm, -start[0]! / norm];
    const re = new Float64Array(rowAt(n));
    for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) re[rowAt(i) + j] = (i === j ? 1 : 0) + 3 * v[i]! * v[j]!;
    expect(provedLimit(1, () => ({ matrix: { size: n, re }, error: 0 }))).toBeWithin(4 * (1 - 1e-13), 8);
  });

  it('is the error alone for zeros', () => {
    expect(provedLimit(1, () => ({ matrix: { size: 3, re: new Float64Array(6) }, error: 0 }))).toBe(0);
  });
});
