import { NumericsError } from '@moe/core';
import type { ComplexMatrix } from './gram.js';
import { UNIT } from './rounding.js';

const SWEEPS = 60;

/** Replaces entries `from …` of a vector by the direction of the reflection that leaves the first alone; its length before, and the factor of the reflection. */
function reflect(vr: Float64Array, vi: Float64Array, from: number, to: number): { length: number; scale: number } {
  let square = 0;
  for (let j = from; j < to; j++) square += vr[j]! * vr[j]! + vi[j]! * vi[j]!;
  const length = Math.sqrt(square);
  if (length === 0) return { length, scale: 0 };
  const head = Math.sqrt(vr[from]! * vr[from]! + vi[from]! * vi[from]!);
  if (head > 0) {
    vr[from] = vr[from]! * (1 + length / head);
    vi[from] = vi[from]! * (1 + length / head);
  } else vr[from] = length;
  return { length, scale: 1 / (length * (length + head)) };
}

/**
 * Moduli of the two diagonals that unitary reflections from both sides leave of a matrix with no more rows than columns; overwrites it.
 *
 * @remarks
 * Each step finds both its reflections before it changes the matrix, `A − s u* − v w`, two rows at a time: three passes over the matrix, one of which writes.
 */
function bidiagonalise(rows: number, cols: number, re: Float64Array, im: Float64Array): { diagonal: Float64Array; beside: Float64Array } {
  const diagonal = new Float64Array(rows);
  const beside = new Float64Array(rows);
  const vectors = Array.from({ length: 4 }, () => [new Float64Array(cols + 1), new Float64Array(cols + 1)] as const);
  const [[ur, ui], [sr, si], [vr, vi], [wr, wi]] = vectors as [(typeof vectors)[0], (typeof vectors)[0], (typeof vectors)[0], (typeof vectors)[0]];
  for (let k = 0; k < rows; k++) {
    // From the right, the conjugate of row k: the row becomes a single entry.
    for (let j = k; j < cols; j++) {
      ur[j] = re[k * cols + j]!;
      ui[j] = -im[k * cols + j]!;
    }
    const right = reflect(ur, ui, k, cols);
    diagonal[k] = right.length;
    if (k + 1 === rows) break;
    for (let i = k + 1; i < rows; i += 2) {
      const p = i * cols;
      const q = i + 1 < rows ? p + cols : p;
      let ar = 0;
      let ai = 0;
      let br = 0;
      let bi = 0;
      for (let j = k; j < cols; j++) {
        const x = ur[j]!;
        const y = ui[j]!;
        const pr = re[p + j]!;
        const pi = im[p + j]!;
        const qr = re[q + j]!;
        const qi = im[q + j]!;
        ar += pr * x - pi * y;
        ai += pr * y + pi * x;
        br += qr * x - qi * y;
        bi += qr * y + qi * x;
      }
      // Of an odd last row the pair is written first, and read by nothing.
      sr[i + 1] = br * right.scale;
      si[i + 1] = bi * right.scale;
      sr[i] = ar * right.scale;
      si[i] = ai * right.scale;
    }
    // From the left, column k as the first reflection leaves it.
    const hr = ur[k]!;
    const hi = ui[k]!;
    for (let i = k + 1; i < rows; i++) {
      vr[i] = re[i * cols + k]! - (sr[i]! * hr + si[i]! * hi);
      vi[i] = im[i * cols + k]! - (si[i]! * hr - sr[i]! * hi);
    }
    const left = reflect(vr, vi, k + 1, rows);
    beside[k + 1] = left.length;
    // w = scale · v* (A − s u*).
    let tr = 0;
    let ti = 0;
    for (let i = k + 1; i < rows; i++) {
      tr += vr[i]! * sr[i]! + vi[i]! * si[i]!;
      ti += vr[i]! * si[i]! - vi[i]! * sr[i]!;
    }
    for (let j = k + 1; j < cols; j++) {
      wr[j] = -(tr * ur[j]! + ti * ui[j]!);
      wi[j] = -(ti * ur[j]! - tr * ui[j]!);
    }
    for (let i = k + 1; i < rows; i += 2) {
      const second = i + 1 < rows;
      const p = i * cols;
      const q = second ? p + cols : p;
      const ar = vr[i]!;
      const ai = vi[i]!;
      const br = second ? vr[i + 1]! : 0;
      const bi = second ? vi[i + 1]! : 0;
      for (let j = k + 1; j < cols; j++) {
        const pr = re[p + j]!;
        const pi = im[p + j]!;
        const qr = re[q + j]!;
        const qi = im[q + j]!;
        wr[j] = wr[j]! + (ar * pr + ai * pi + br * qr + bi * qi);
        wi[j] = wi[j]! + (ar * pi - ai * pr + br * qi - bi * qr);
      }
    }
    for (let j = k + 1; j < cols; j++) {
      wr[j] = wr[j]! * left.scale;
      wi[j] = wi[j]! * left.scale;
    }
    for (let i = k + 1; i < rows; i += 2) {
      const p = i * cols;
      const q = i + 1 < rows ? p + cols : p;
      const [ar, ai, br, bi] = [sr[i]!, si[i]!, sr[i + 1]!, si[i + 1]!];
      const [cr, ci, dr, di] = [vr[i]!, vi[i]!, vr[i + 1]!, vi[i + 1]!];
      if (q === p) {
        for (let j = k + 1; j < cols; j++) {
          re[p + j] = re[p + j]! - (ar * ur[j]! + ai * ui[j]! + cr * wr[j]! - ci * wi[j]!);
          im[p + j] = im[p + j]! - (ai * ur[j]! - ar * ui[j]! + cr * wi[j]! + ci * wr[j]!);
        }
        continue;
      }
      for (let j = k + 1; j < cols; j++) {
        const x = ur[j]!;
        const y = ui[j]!;
        const f = wr[j]!;
        const g = wi[j]!;
        re[p + j] = re[p + j]! - (ar * x + ai * y + cr * f - ci * g);
        im[p + j] = im[p + j]! - (ai * x - ar * y + cr * g + ci * f);
        re[q + j] = re[q + j]! - (br * x + bi * y + dr * f - di * g);
        im[q + j] = im[q + j]! - (bi * x - br * y + dr * g + di * f);
      }
    }
  }
  return { diagonal, beside };
}

/** Singular values of a real bidiagonal matrix, `beside[k]` between k − 1 and k, by implicit QR steps; in place. Returns the number of rotations. */
function diagonalise(w: Float64Array, beside: Float64Array): number {
  let largest = 0;
  for (let k = 0; k < w.length; k++) largest = Math.max(largest, w[k]! + beside[k]!);
  const small = UNIT * largest;
  let rotations = 0;
  for (let k = w.length - 1; k >= 0; k--) {
    for (let sweep = 0; ; sweep++) {
      if (sweep === SWEEPS) throw new NumericsError(`convSingularValues: QR steps must converge within ${SWEEPS}, got none.`);
      let l = k;
      while (l > 0 && Math.abs(beside[l]!) > small && Math.abs(w[l - 1]!) > small) l--;
      if (l > 0 && Math.abs(beside[l]!) > small) {
        // A zero on the diagonal: rotate the entry beside it out.
        let [c, s] = [0, 1];
        for (let i = l; i <= k; i++) {
          const f = s * beside[i]!;
          beside[i] = c * beside[i]!;
          if (Math.abs(f) <= small) break;
          const g = w[i]!;
          const h = Math.sqrt(f * f + g * g);
          w[i] = h;
          [c, s] = [g / h, -f / h];
          rotations++;
        }
      }
      if (l > 0) beside[l] = 0;
      if (l === k) {
        w[k] = Math.abs(w[k]!);
        break;
      }
      // Shift by the eigenvalue of the trailing block, then chase the bulge.
      const z = w[k]!;
      const [y, g, h] = [w[k - 1]!, k - 1 > l ? beside[k - 1]! : 0, beside[k]!];
      let x = w[l]!;
      const half = ((y - z) * (y + z) + (g - h) * (g + h)) / (2 * h * y);
      const root = Math.sqrt(half * half + 1);
      let f = ((x - z) * (x + z) + h * (y / (half + (half >= 0 ? root : -root)) - h)) / x;
      let c = 1;
      let s = 1;
      for (let j = l; j < k; j++) {
        let across = beside[j + 1]!;
        let down = w[j + 1]!;
        let bulge = s * across;
        across *= c;
        let norm = Math.sqrt(f * f + bulge * bulge);
        if (j > l) beside[j] = norm;
        let inverse = norm > 0 ? 1 / norm : 0;
        c = norm > 0 ? f * inverse : 1;
        s = bulge * inverse;
        f = x * c + across * s;
        across = across * c - x * s;
        bulge = down * s;
        down *= c;
        norm = Math.sqrt(f * f + bulge * bulge);
        w[j] = norm;
        if (norm > 0) {
          inverse = 1 / norm;
          c = f * inverse;
          s = bulge * inverse;
        }
        f = c * across + s * down;
        x = c * down - s * across;
        rotations += 2;
      }
      beside[k] = f;
      w[k] = x;
    }
  }
  return rotations;
}

/**
 * Singular values of a complex matrix with no more rows than columns and entries of moderate size, and how far each is off at most; overwrites it.
 *
 * @see Golub & Kahan 1965, "Calculating the singular values and pseudo-inverse of a matrix".
 */
export function complexSingularValues({ rows, cols, re, im }: Required<ComplexMatrix>): { values: Float64Array; error: number } {
  let square = 0;
  for (let k = 0; k < re.length; k++) square += re[k]! * re[k]! + im[k]! * im[k]!;
  if (square === 0) return { values: new Float64Array(rows), error: 0 };
  const { diagonal, beside } = bidiagonalise(rows, cols, re, im);
  const rotations = diagonalise(diagonal, beside);
  // Reflections are off by 16 units a term of their sums, rotations by 12, entries that are dropped by one; all of the Frobenius norm.
  return { values: diagonal, error: (2 * rows * 16 * (cols + 4) + 12 * rotations + 8 * rows) * UNIT * Math.sqrt(square) };
}
