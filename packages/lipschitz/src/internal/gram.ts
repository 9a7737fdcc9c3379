import { type Hermitian, gramSlack, rowGram } from './matrix/hermitian.js';
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

/** Both triangles of a Hermitian matrix. */
function whole({ size, re, im }: Hermitian): ComplexMatrix {
  const [outRe, outIm] = [new Float64Array(size * size), im && new Float64Array(size * size)];
  for (let i = 0, at = 0; i < size; i++) {
    for (let j = 0; j <= i; j++, at++) {
      outRe[i * size + j] = outRe[j * size + i] = re[at]!;
      if (outIm !== undefined) {
        outIm[j * size + i] = -im![at]!;
        outIm[i * size + j] = im![at]!;
      }
    }
  }
  return { rows: size, cols: size, re: outRe, ...(outIm && { im: outIm }) };
}

export function startGram(matrix: ComplexMatrix): GramState {
  const norm = frobeniusNorm(matrix.re, matrix.im);
  return { matrix: unit(matrix, norm), norms: [norm], slacks: [] };
}

export function stepGram({ matrix, norms, slacks }: GramState): GramState {
  const gram = whole(rowGram(matrix));
  const norm = frobeniusNorm(gram.re, gram.im);
  // 32 covers the scaling and a batch norm folded in before.
  return { matrix: unit(gram, norm), norms: [...norms, norm], slacks: [...slacks, gramSlack(matrix.cols) + 32 * UNIT] };
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
