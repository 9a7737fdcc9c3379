// Float64 linear algebra of interpolation. Shapes: n rows of data, d features.
import type { Rng } from '@moe/core';
import { CholeskyDecomposition, Matrix, QrDecomposition } from 'ml-matrix';

/** `[rows, columns]` independent normal numbers. */
export const normalMatrix = (rng: Rng, rows: number, columns: number, std = 1): Matrix => Matrix.from1DArray(rows, columns, Array.from(rng.normal(rows * columns, 0, std)));

export const column = (values: ArrayLike<number>): Matrix => Matrix.columnVector(Array.from(values));
export const stack = (parts: readonly Matrix[]): Matrix => new Matrix(parts.flatMap((part) => part.to2DArray()));
export const length = (vector: Matrix): number => vector.norm('frobenius');
export const distance = (a: Matrix, b: Matrix): number => length(Matrix.sub(a, b));

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

/** The shortest w with X w = y, where the rows of X are independent: Xᵀ (X Xᵀ)⁻¹ y, `[n,d], [n,1] → [d,1]`. */
export function minNorm(inputs: Matrix, targets: Matrix): Matrix {
  const transposed = inputs.transpose();
  return transposed.mmul(new CholeskyDecomposition(inputs.mmul(transposed)).solve(targets));
}

/** The w of least ‖X w − y‖² + λ ‖w‖²; with λ = 0 the columns of X must be independent. */
export function ridge(inputs: Matrix, targets: Matrix, lambda: number): Matrix {
  const transposed = inputs.transpose();
  return new CholeskyDecomposition(transposed.mmul(inputs).add(Matrix.eye(inputs.columns).mul(lambda))).solve(transposed.mmul(targets));
}

/** Orthonormal rows that span those of X, `[n,d] → [n,d]` for n ≤ d. */
export const rowSpace = (inputs: Matrix): Matrix => new QrDecomposition(inputs.transpose()).orthogonalMatrix.transpose();

/** An orthonormal basis without zeros, one row a vector: a random reflection. */
export function reflectedBasis(rng: Rng, size: number): Matrix {
  const axis = rng.normal(size);
  const scale = 2 / dot(axis, axis);
  return Matrix.from1DArray(size, size, Array.from({ length: size * size }, (_, at) => {
    const [i, j] = [Math.floor(at / size), at % size];
    return (i === j ? 1 : 0) - scale * axis[i]! * axis[j]!;
  }));
}

/** Consecutive rows, so many a part. */
export const parts = (rows: Matrix, size: number): Matrix[] => Array.from({ length: rows.rows / size }, (_, i) => rows.subMatrix(i * size, (i + 1) * size - 1, 0, rows.columns - 1));
