// Row-major float64 matrices as flat arrays; loops walk rows, two or four at a time, so that each number is read once for several products.
import { addProduct, products, roundedTo } from './matrix/products.js';

/** `A Bᵀ` for A `[p, k]` and B `[q, k]`; with `symmetric` (A Bᵀ is known to be), half the work. */
export function rowProduct(a: Float64Array, b: Float64Array, p: number, q: number, k: number, symmetric = false): Float64Array {
  const [rows, columns, inner] = [roundedTo(4, p), roundedTo(4, q), roundedTo(8, k)];
  const square = a === b && p === q;
  const [x, y, c] = products().arrays([rows * inner, square ? 0 : columns * inner, rows * columns]);
  const pad = (to: Float64Array, from: Float64Array, count: number): void => {
    for (let i = 0; i < count; i++) to.set(from.subarray(i * k, (i + 1) * k), i * inner);
  };
  pad(x, a, p);
  if (!square) pad(y, b, q);
  addProduct(c, x, square ? x : y, rows, columns, inner, symmetric);
  const out = new Float64Array(p * q);
  for (let i = 0; i < p; i++) out.set(c.subarray(i * columns, i * columns + q), i * q);
  if (symmetric) for (let i = 0; i < p; i++) for (let j = i + 1; j < p; j++) out[i * p + j] = out[j * p + i]!;
  return out;
}

export function transposed(a: Float64Array, rows: number, cols: number): Float64Array {
  const out = new Float64Array(a.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out[j * rows + i] = a[i * cols + j]!;
  return out;
}

/**
 * Cholesky factor of a symmetric matrix, in place in its lower triangle; tells whether the matrix is positive definite in float64.
 *
 * @param firstOf - first column of a row that is not zero, for matrices with a band.
 */
export function cholesky(a: Float64Array, n: number, firstOf: (row: number) => number = () => 0): boolean {
  const starts = Int32Array.from({ length: n }, (_, row) => firstOf(row));
  for (let i = 0; i < n; i++) {
    const ri = i * n;
    const start = starts[i]!;
    for (let j = start; j <= i; j++) {
      const rj = j * n;
      const from = Math.max(start, starts[j]!);
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      let k = from;
      for (; k + 3 < j; k += 4) {
        s0 += a[ri + k]! * a[rj + k]!;
        s1 += a[ri + k + 1]! * a[rj + k + 1]!;
        s2 += a[ri + k + 2]! * a[rj + k + 2]!;
        s3 += a[ri + k + 3]! * a[rj + k + 3]!;
      }
      for (; k < j; k++) s0 += a[ri + k]! * a[rj + k]!;
      const rest = a[ri + j]! - (s0 + s1 + s2 + s3);
      if (j < i) a[ri + j] = rest / a[rj + j]!;
      else if (rest > 0) a[ri + j] = Math.sqrt(rest);
      else return false;
    }
  }
  return true;
}

/** Every row r of B `[m, n]` becomes `r L⁻ᵀ`, for a lower triangle L `[n, n]`. */
export function solveRows(l: Float64Array, b: Float64Array, m: number, n: number): Float64Array {
  const out = b.slice();
  for (let r = 0; r < m; r += 4) {
    const o0 = r * n;
    const o1 = r + 1 < m ? o0 + n : o0;
    const o2 = r + 2 < m ? o0 + 2 * n : o0;
    const o3 = r + 3 < m ? o0 + 3 * n : o0;
    for (let i = 0; i < n; i++) {
      const row = i * n;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let k = 0; k < i; k++) {
        const x = l[row + k]!;
        s0 += x * out[o0 + k]!;
        s1 += x * out[o1 + k]!;
        s2 += x * out[o2 + k]!;
        s3 += x * out[o3 + k]!;
      }
      const pivot = l[row + i]!;
      // Where rows are missing at the end they are the first one, which must be written once.
      const v0 = (out[o0 + i]! - s0) / pivot;
      if (o3 !== o0) out[o3 + i] = (out[o3 + i]! - s3) / pivot;
      if (o2 !== o0) out[o2 + i] = (out[o2 + i]! - s2) / pivot;
      if (o1 !== o0) out[o1 + i] = (out[o1 + i]! - s1) / pivot;
      out[o0 + i] = v0;
    }
  }
  return out;
}

/** Every row r of B `[m, n]` becomes `r L⁻¹`, for a lower triangle L `[n, n]`. */
export function solveRowsBack(l: Float64Array, b: Float64Array, m: number, n: number): Float64Array {
  const out = b.slice();
  for (let r = 0; r < m; r++) {
    const o = r * n;
    for (let i = n - 1; i >= 0; i--) {
      const row = i * n;
      const x = out[o + i]! / l[row + i]!;
      out[o + i] = x;
      for (let k = 0; k < i; k++) out[o + k] = out[o + k]! - x * l[row + k]!;
    }
  }
  return out;
}

/** Eigenvalues of a symmetric matrix, and eigenvectors as rows, by Jacobi rotations. */
export function symmetricEigen(matrix: Float64Array, n: number): { values: Float64Array; vectors: Float64Array } {
  const a = matrix.slice();
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    let all = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) {
      const square = a[i * n + j]! ** 2;
      all += square;
      if (i !== j) off += square;
    }
    if (off <= 1e-28 * all) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const apq = a[p * n + q]!;
        if (apq === 0) continue;
        const zeta = (a[q * n + q]! - a[p * n + p]!) / (2 * apq);
        const t = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const c = 1 / Math.sqrt(1 + t * t);
        const s = c * t;
        for (let k = 0; k < n; k++) {
          const x = a[k * n + p]!;
          const y = a[k * n + q]!;
          a[k * n + p] = c * x - s * y;
          a[k * n + q] = s * x + c * y;
        }
        for (let k = 0; k < n; k++) {
          const x = a[p * n + k]!;
          const y = a[q * n + k]!;
          a[p * n + k] = c * x - s * y;
          a[q * n + k] = s * x + c * y;
          const u = vectors[p * n + k]!;
          const v = vectors[q * n + k]!;
          vectors[p * n + k] = c * u - s * v;
          vectors[q * n + k] = s * u + c * v;
        }
      }
    }
  }
  return { values: Float64Array.from({ length: n }, (_, i) => a[i * n + i]!), vectors };
}
