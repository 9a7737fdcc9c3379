import { UNIT, roundUp } from './rounding.js';

/** Row-major matrix in float64; real where `im` is absent. */
export interface ComplexMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly re: Float64Array;
  readonly im?: Float64Array;
}

/** Progress of a Gram iteration: the last Gram matrix at Frobenius norm 1, and how it was scaled on the way. */
export interface GramState {
  readonly matrix: ComplexMatrix;
  /** Frobenius norm of each iterate before it was scaled. */
  readonly norms: readonly number[];
  /** Relative rounding of each squaring, in the Frobenius norm. */
  readonly slacks: readonly number[];
}

/** Frobenius norm, rounded outward; scaled by the largest entry, so that nothing under- or overflows. */
export function frobeniusNorm(...parts: readonly (Float64Array | undefined)[]): number {
  let largest = 0;
  let length = 0;
  for (const part of parts) {
    if (part === undefined) continue;
    length += part.length;
    for (let i = 0; i < part.length; i++) largest = Math.max(largest, Math.abs(part[i]!));
  }
  if (largest === 0) return 0;
  let total = 0;
  for (const part of parts) {
    if (part === undefined) continue;
    for (let i = 0; i < part.length; i++) total += (part[i]! / largest) ** 2;
  }
  return roundUp(largest * Math.sqrt(total), length + 8);
}

function unit(matrix: ComplexMatrix, norm: number): ComplexMatrix {
  if (norm === 0) return matrix;
  const scale = (values: Float64Array): Float64Array => values.map((value) => value / norm);
  return { ...matrix, re: scale(matrix.re), ...(matrix.im && { im: scale(matrix.im) }) };
}

/** `A A*`, whose largest eigenvalue is the squared spectral norm of A. */
function rowGram({ rows, cols, re, im }: ComplexMatrix): ComplexMatrix {
  const outRe = new Float64Array(rows * rows);
  const outIm = im && new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) {
    const a = i * cols;
    for (let j = 0; j <= i; j++) {
      const b = j * cols;
      let real = 0;
      let imaginary = 0;
      if (im === undefined) for (let k = 0; k < cols; k++) real += re[a + k]! * re[b + k]!;
      else {
        for (let k = 0; k < cols; k++) {
          const ar = re[a + k]!;
          const ai = im[a + k]!;
          const br = re[b + k]!;
          const bi = im[b + k]!;
          real += ar * br + ai * bi;
          imaginary += ai * br - ar * bi;
        }
      }
      outRe[i * rows + j] = outRe[j * rows + i] = real;
      if (outIm !== undefined) {
        outIm[i * rows + j] = imaginary;
        outIm[j * rows + i] = -imaginary;
      }
    }
  }
  return { rows, cols: rows, re: outRe, ...(outIm && { im: outIm }) };
}

export function startGram(matrix: ComplexMatrix): GramState {
  const norm = frobeniusNorm(matrix.re, matrix.im);
  return { matrix: unit(matrix, norm), norms: [norm], slacks: [] };
}

export function stepGram({ matrix, norms, slacks }: GramState): GramState {
  const gram = rowGram(matrix);
  const norm = frobeniusNorm(gram.re, gram.im);
  // A dot product of q complex pairs is 2q rounded products and sums in each part; 32 covers the scaling and a batch norm folded in before.
  return { matrix: unit(gram, norm), norms: [...norms, norm], slacks: [...slacks, (4 * matrix.cols + 32) * UNIT] };
}

/**
 * Upper bound of the spectral norm of the matrix that the iteration started from.
 *
 * @remarks
 * With H = G / ‖G‖_F and the computed square G' = H H* + E: σ(H)² ≤ σ(G') + ‖E‖, and ‖E‖ is at most the slack of that step. Unrolled
 * from the last iterate, whose σ is at most its Frobenius norm. So rounding is inside the bound, and it holds after any number of steps.
 */
export function gramBound({ norms, slacks }: GramState): number {
  let bound = norms[norms.length - 1]!;
  for (let t = slacks.length - 1; t >= 0; t--) bound = roundUp(norms[t]! * Math.sqrt(bound + slacks[t]!), 8);
  return bound;
}
