import { frobeniusNorm } from '../internal/gram.js';
import { cholesky } from '../internal/real-matrix.js';
import { UNIT, roundUp } from '../internal/rounding.js';
import type { RoundedChain } from './chain.js';

/** `matrix` `[rows, cols]` with row r times `left[r]` and column c times `right[c]`. */
const scaled = (matrix: Float64Array, left: Float64Array, right: Float64Array): Float64Array =>
  matrix.map((value, k) => value * left[Math.floor(k / right.length)]! * right[k % right.length]!);

const largest = (values: Float64Array): number => values.reduce((best, value) => Math.max(best, value), 0);

const inverse = (values: Float64Array): Float64Array => values.map((value) => 1 / value);

/**
 * Whether L² = `squared` is a bound, beyond the rounding of float64.
 *
 * @remarks
 * With S = Λ^½ the matrix inequality reads T ≥ 0 for a block-tridiagonal T: blocks `2I` on the diagonal, less `S₁W₁W₁ᵀS₁` in the first and `S⁻¹WᵀWS⁻¹/L²`
 * of the last matrix in the last, `−S⁻¹WᵀS` beside it. If the Cholesky factorisation of T − δI runs through, and δ exceeds what rounding did to T and to the
 * factorisation (Rump 2006), then T is positive semidefinite. Any positive S is a choice of multipliers, so its own rounding does not matter.
 *
 * @param roots - S, the square roots of the multipliers, by layer.
 */
export function verifies({ widths, matrices, errors }: RoundedChain, gram: Float64Array, roots: readonly Float64Array[], squared: number): boolean {
  const hidden = roots.length;
  const offsets = [0];
  for (const root of roots) offsets.push(offsets.at(-1)! + root.length);
  const n = offsets[hidden]!;
  const t = new Float64Array(n * n);
  for (let i = 0; i < n; i++) t[i * n + i] = 2;
  let error = 0;
  const put = (row: number, column: number, block: Float64Array, width: number): void => {
    block.forEach((value, k) => {
      const at = (row + Math.floor(k / width)) * n + column + (k % width);
      t[at] = t[at]! - value;
    });
  };
  const first = roots[0]!;
  const ones = new Float64Array(widths[0]!).fill(1);
  put(0, 0, scaled(gram, first, first), first.length);
  // A sum of k products is off by k units of the sum of their magnitudes, which is at most the product of two norms.
  const head = frobeniusNorm(scaled(matrices[0]!, first, ones));
  const headError = errors[0]! * largest(first);
  error += (widths[0]! + 8) * UNIT * head ** 2 + 2 * head * headError + headError ** 2;
  for (let i = 1; i < hidden; i++) {
    const block = scaled(matrices[i]!, roots[i]!, inverse(roots[i - 1]!));
    put(offsets[i]!, offsets[i - 1]!, block, roots[i - 1]!.length);
    error += 2 * (8 * UNIT * frobeniusNorm(block) + errors[i]! * largest(roots[i]!) * largest(inverse(roots[i - 1]!)));
  }
  const last = roots[hidden - 1]!;
  const outputs = widths[hidden + 1]!;
  const tail = scaled(matrices[hidden]!, new Float64Array(outputs).fill(1 / Math.sqrt(squared)), inverse(last));
  const width = last.length;
  const square = new Float64Array(width * width);
  for (let o = 0; o < outputs; o++) {
    for (let r = 0; r < width; r++) for (let c = 0; c <= r; c++) square[r * width + c] = square[r * width + c]! + tail[o * width + r]! * tail[o * width + c]!;
  }
  put(offsets[hidden - 1]!, offsets[hidden - 1]!, square, width);
  const end = frobeniusNorm(tail);
  const endError = (errors[hidden]! * largest(inverse(last))) / Math.sqrt(squared);
  error += (outputs + 12) * UNIT * end ** 2 + 2 * end * endError + endError ** 2;
  // The trace is at most 2n, and a factorisation of n rows is off by (n + 2) units of it; subtracting δ rounds once more.
  const delta = roundUp(1.01 * (error + (n + 4) * UNIT * 2 * n), 8);
  for (let i = 0; i < n; i++) t[i * n + i] = t[i * n + i]! - delta;
  const block = Array.from({ length: n }, (_, row) => offsets.findLastIndex((offset) => offset <= row));
  return cholesky(t, n, (row) => offsets[Math.max(0, block[row]! - 1)]!);
}
