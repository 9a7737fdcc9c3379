import type { ComplexMatrix } from '../gram.js';
import { UNIT } from '../rounding.js';
import { type Block, addProduct, products, roundedTo } from './products.js';

/** Hermitian matrix by its lower triangle, row after row; real where `im` is absent. */
export interface Hermitian {
  readonly size: number;
  readonly re: Float64Array;
  readonly im?: Float64Array;
}

/** Where a row of a lower triangle begins. */
export const rowAt = (row: number): number => (row * (row + 1)) / 2;

/** Columns that are multiplied at once. */
const CHUNK = 512;

/**
 * `A A*`, whose largest eigenvalue is the squared spectral norm of A.
 *
 * @remarks
 * For A = R + iI with three real products instead of four: `P = (R + I)(R − I)ᵀ` has the symmetric part `RRᵀ − IIᵀ` and the antisymmetric part `IRᵀ − RIᵀ`, and IIᵀ is its own mirror image.
 */
export function rowGram({ rows, cols, re, im }: ComplexMatrix): Hermitian {
  const n = roundedTo(4, rows);
  const inner = Math.min(CHUNK, roundedTo(8, cols));
  const chunks = Array.from({ length: Math.ceil(cols / inner) }, (_, chunk) => chunk * inner);
  const outRe = new Float64Array(rowAt(rows));
  if (im === undefined) {
    const [part, c] = products().arrays([n * inner, n * n]);
    for (const first of chunks) {
      if (first > 0) part.fill(0);
      for (let i = 0; i < rows; i++) part.set(re.subarray(i * cols + first, i * cols + Math.min(cols, first + inner)), i * inner);
      addProduct(c, part, part, n, n, inner, true);
    }
    for (let i = 0; i < rows; i++) outRe.set(c.subarray(i * n, i * n + i + 1), rowAt(i));
    return { size: rows, re: outRe };
  }
  const [sum, difference, second, p, q] = products().arrays([n * inner, n * inner, n * inner, n * n, n * n]);
  for (const first of chunks) {
    const width = Math.min(inner, cols - first);
    if (first > 0) for (const part of [sum, difference, second]) part.fill(0);
    for (let i = 0; i < rows; i++) {
      for (let j = 0, from = i * cols + first, to = i * inner; j < width; j++, from++, to++) {
        const x = re[from]!;
        const y = im[from]!;
        sum[to] = x + y;
        difference[to] = x - y;
        second[to] = y;
      }
    }
    addProduct(p, sum, difference, n, n, inner, false);
    addProduct(q, second, second, n, n, inner, true);
  }
  const outIm = new Float64Array(rowAt(rows));
  for (let i = 0, at = 0; i < rows; i++) {
    for (let j = 0; j <= i; j++, at++) {
      const below = p[i * n + j]!;
      const above = p[j * n + i]!;
      outRe[at] = (below + above) / 2 + 2 * q[i * n + j]!;
      outIm[at] = (below - above) / 2;
    }
  }
  return { size: rows, re: outRe, im: outIm };
}

/** How far {@link rowGram} may be off by rounding, in the Frobenius norm, as a share of the squared Frobenius norm of A: six sums of `cols` products in all, and what is added before and after. */
export const gramSlack = (cols: number): number => (8 * cols + 64) * UNIT;

/**
 * Whether the Cholesky factorisation of `shift · I − H` runs through, so that no eigenvalue of H is above `shift` by more than {@link factorSlack} allows.
 *
 * @remarks
 * Strips of eight columns: what the columns to the left take off, by products of matrices; then within the strip.
 */
export function factorises({ size, re, im }: Hermitian, shift: number): boolean {
  const n = roundedTo(4, size);
  const [lr, li] = products().arrays([n * n, n * n]);
  for (let i = 0; i < n; i++) {
    if (i < size) {
      for (let j = 0, from = rowAt(i); j <= i; j++, from++) {
        lr[i * n + j] = -re[from]!;
        if (im !== undefined) li[i * n + j] = -im[from]!;
      }
      lr[i * n + i] = shift - re[rowAt(i) + i]!;
    } else lr[i * n + i] = 1;
  }
  const inverse = new Float64Array(8);
  for (let strip = 0; strip < n; strip += 8) {
    const width = Math.min(8, n - strip);
    const part = (array: Float64Array, column: number): Block => ({ array, from: strip * n + column, step: n });
    const subtract = (to: Float64Array, a: Float64Array, b: Float64Array, sign: 1 | -1): void => products().add(part(to, strip), part(a, 0), part(b, 0), n - strip, width, strip, sign);
    subtract(lr, lr, lr, -1);
    if (im !== undefined) {
      subtract(lr, li, li, -1);
      subtract(li, li, lr, -1);
      subtract(li, lr, li, 1);
    }
    for (let i = strip; i < n; i++) {
      const row = i * n + strip;
      const last = Math.min(width, i - strip + 1);
      for (let c = 0; c < last; c++) {
        const other = (strip + c) * n + strip;
        let x = lr[row + c]!;
        let y = li[row + c]!;
        for (let t = 0; t < c; t++) {
          const [a, b, p, q] = [lr[row + t]!, li[row + t]!, lr[other + t]!, li[other + t]!];
          x -= a * p + b * q;
          y -= b * p - a * q;
        }
        if (strip + c < i) {
          lr[row + c] = x * inverse[c]!;
          li[row + c] = y * inverse[c]!;
          continue;
        }
        if (!(x > 0)) return false;
        lr[row + c] = Math.sqrt(x);
        li[row + c] = 0;
        inverse[c] = 1 / lr[row + c]!;
      }
    }
  }
  return true;
}

/**
 * How far below zero an eigenvalue of `shift · I − H` may still be when {@link factorises} runs through, as a share of `shift`, for a positive H.
 *
 * @remarks
 * The factors' product differs from the matrix by at most γ |L| |L|*, whose norm is at most γ times the trace (Rump 2006); γ counts two real products a complex term and part, and the trace is
 * at most `size · shift`.
 */
export const factorSlack = (size: number): number => 8 * (size + 16) * size * UNIT;
