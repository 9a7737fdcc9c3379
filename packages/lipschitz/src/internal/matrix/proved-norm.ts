import { frobeniusNorm } from '../gram.js';
import { roundUp } from '../rounding.js';
import { type Hermitian, factorSlack, factorises } from './hermitian.js';
import { largestRitzValue } from './lanczos.js';

/** A positive Hermitian matrix that is known up to an error in the Frobenius norm. */
export interface Rounded {
  readonly matrix: Hermitian;
  readonly error: number;
}

/** Lanczos steps at most; what they leave shows in the bound, about 1e-9 of the largest eigenvalue of a random matrix of 512 rows. */
const STEPS = 64;

/** Twice the triangle is more than the matrix. */
const length = ({ re, im }: Hermitian): number => roundUp(Math.SQRT2 * frobeniusNorm(re, im), 4);

/** Whether no eigenvalue of the exact matrix is above `limit`. */
function proves({ matrix, error }: Rounded, limit: number): boolean {
  const shift = limit - roundUp(factorSlack(matrix.size) * limit + error, 8);
  return shift > 0 && factorises(matrix, shift);
}

/** A limit that holds for one matrix, close above its largest eigenvalue. */
function limitOf(rounded: Rounded): number {
  const { matrix, error } = rounded;
  const { value, growth } = largestRitzValue(matrix, STEPS);
  const last = length(matrix) + error;
  // A quarter more than the proof takes off, for the rounding that really happens.
  const least = 1.25 * roundUp(factorSlack(matrix.size) * value + error, 8);
  for (let margin = Math.max(growth, least); value + margin < last; margin *= 4) if (proves(rounded, value + margin)) return value + margin;
  return last;
}

/**
 * A number that no eigenvalue of any of the matrices exceeds, close above the largest.
 *
 * @remarks
 * Each matrix is put to the proof at the limit of those before it: the factorisation of `limit · I − H` runs through, with rounding taken off. Only where it does not, the limit rises, to what a few
 * Lanczos steps say and a proof confirms. So the result costs one factorisation a matrix, and as many Lanczos runs as the largest so far is surpassed; give likely ones first.
 *
 * @param at - the matrix of each index below `count`; may reuse its arrays.
 */
export function provedLimit(count: number, at: (index: number) => Rounded): number {
  let limit = 0;
  for (let index = 0; index < count; index++) {
    const rounded = at(index);
    if (!proves(rounded, limit)) limit = Math.max(limit, limitOf(rounded));
  }
  return limit;
}
