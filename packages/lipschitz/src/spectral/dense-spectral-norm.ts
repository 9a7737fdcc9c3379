import type { Bound } from '@moe/core';
import { NumericsError, expectArgument } from '@moe/core';
import { type KernelInput, readKernel } from '../internal/arrays.js';
import { globalBound } from '../internal/bounds.js';

import { frobeniusNorm } from '../internal/gram.js';
import { transposed } from '../internal/real-matrix.js';
import { UNIT } from '../internal/rounding.js';

/** Longest smaller side. */
export const LARGEST_JACOBI = 256;
const SWEEPS = 60;
const ORTHOGONAL = 1e-14;

/** One Jacobi rotation of two rows; tells whether they were orthogonal already. */
function rotate(rows: Float64Array[], p: number, q: number): boolean {
  const [x, y] = [rows[p]!, rows[q]!];
  let [xx, yy, xy] = [0, 0, 0];
  for (let k = 0; k < x.length; k++) {
    xx += x[k]! * x[k]!;
    yy += y[k]! * y[k]!;
    xy += x[k]! * y[k]!;
  }
  if (Math.abs(xy) <= ORTHOGONAL * Math.sqrt(xx) * Math.sqrt(yy)) return true;
  const zeta = (yy - xx) / (2 * xy);
  const tangent = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const cosine = 1 / Math.hypot(1, tangent);
  const sine = cosine * tangent;
  for (let k = 0; k < x.length; k++) {
    const [u, v] = [x[k]!, y[k]!];
    x[k] = cosine * u - sine * v;
    y[k] = sine * u + cosine * v;
  }
  return false;
}

/**
 * Spectral norm of a small matrix, by one-sided Jacobi rotations in float64.
 *
 * @remarks
 * Rotates pairs of rows of the smaller side until all are orthogonal within 1e-14; the longest row is then σ. The value is rounded outward by what is left
 * of the inner products and by the rounding of the rotations: 5e-11 of σ for 256×256. Cost grows with the cube of the smaller side.
 *
 * @param kernel - weights `[in, out]`, the smaller side at most 256.
 * @throws {@link ArgumentError} if both sides are larger; use {@link denseBound} there.
 * @see Hestenes 1958, "Inversion of matrices by biorthogonalization and related results".
 *
 * @example
 * denseSpectralNorm({ shape: [2, 2], values: [1, 1, 0, 1] }).value; // (1 + √5) / 2
 */
export function denseSpectralNorm(kernel: KernelInput): Bound<'exact'> {
  const { shape, values } = readKernel('denseSpectralNorm', kernel, ['in', 'out']);
  const [inputs, outputs] = shape as [number, number];
  const [count, length] = [Math.min(inputs, outputs), Math.max(inputs, outputs)];
  expectArgument('denseSpectralNorm', 'kernel', count <= LARGEST_JACOBI, `have a side of at most ${LARGEST_JACOBI}`, `[${inputs}, ${outputs}]`, 'Use denseBound for larger ones.');
  const scale = frobeniusNorm(values);
  if (scale === 0) return globalBound(0, 'exact', 'L2', 'jacobi');
  const flat = (inputs <= outputs ? values : transposed(values, inputs, outputs)).map((value) => value / scale);
  const rows = Array.from({ length: count }, (_, i) => flat.slice(i * length, (i + 1) * length));
  let orthogonal = false;
  let sweeps = 0;
  for (; !orthogonal && sweeps < SWEEPS; sweeps++) {
    orthogonal = true;
    for (let p = 0; p < count; p++) for (let q = p + 1; q < count; q++) orthogonal = rotate(rows, p, q) && orthogonal;
  }
  if (!orthogonal) throw new NumericsError(`denseSpectralNorm: rotations must converge within ${SWEEPS} sweeps, got none. Use denseBound.`);
  const longest = Math.max(...rows.map((row) => frobeniusNorm(row)));
  // Gershgorin on the normalised Gram matrix, whose inner products carry their own rounding; then 8 roundings a rotation, in the Frobenius norm, which is at most √count · σ.
  const slack = count * (ORTHOGONAL + (length + 8) * UNIT) + 8 * sweeps * count * Math.sqrt(count) * UNIT;
  return globalBound(scale * longest * (1 + slack), 'exact', 'L2', 'jacobi');
}
