// Shapes: B batch, D numbers of one example.
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { type Task, rowOf } from '../internal/problem.js';

/** Nearest misclassified point of each row that was met so far. */
export interface Nearest {
  /** `[B,D]`; the clean input where none was met. */
  readonly points: Float32Array;
  /** `[B]`; infinite where none was met. */
  readonly distances: Float64Array;
  /** Notes a misclassified point of a row. */
  meet(row: number, point: Float32Array): void;
  /** Whether a row is still attacked: it has no point that is near enough. */
  open(row: number): boolean;
  /** Points as an attack returns them: those within `eps`, else the clean input. */
  result(): Float32Array;
}

/**
 * @param cleanWrong - 1 for rows that are misclassified as they are.
 * @param eps        - distance that is near enough; without one no point is, and all count.
 */
export function createNearest({ inputs, rows, size }: Task, norm: AttackNorm, cleanWrong: Uint8Array, eps: number | undefined): Nearest {
  const { distance } = GEOMETRIES[norm];
  const points = inputs.slice();
  const distances = Float64Array.from({ length: rows }, (_, row) => (cleanWrong[row] === 1 ? 0 : Infinity));
  return {
    points,
    distances,
    meet: (row, point) => {
      const away = distance(point, rowOf(inputs, row, size));
      if (away >= distances[row]!) return;
      distances[row] = away;
      rowOf(points, row, size).set(point);
    },
    open: (row) => distances[row]! > (eps ?? 0),
    result: () => {
      const found = points.slice();
      for (let row = 0; row < rows; row++) if (distances[row]! > (eps ?? Infinity)) rowOf(found, row, size).set(rowOf(inputs, row, size));
      return found;
    },
  };
}
