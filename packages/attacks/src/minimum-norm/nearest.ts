// Shapes: B batch, D numbers of one example.
import { DISTANCES, type MinimumNorm } from '../geometry/geometry.js';
import { type PerExample, rowsOf } from '../internal/per-example.js';
import { type Task, rowOf } from '../internal/problem.js';

/** Nearest misclassified point of each row that was met so far. */
export interface Nearest {
  /** `[B,D]`; the clean input where none was met. */
  readonly points: Float32Array;
  /** `[B]`; infinite where none was met. */
  readonly distances: Float64Array;
  /** Notes a misclassified point of a row; `away` is its distance, where that is known. */
  meet(row: number, point: Float32Array, away?: number): void;
  /** Whether a row has a misclassified point, near enough where that is asked. */
  found(row: number): boolean;
  /** Whether a row is still attacked: it has no point that is near enough. */
  open(row: number): boolean;
  /** Points as an attack returns them: those within `eps`, else the clean input. */
  result(): Float32Array;
}

/**
 * @param cleanWrong - 1 for rows that are misclassified as they are.
 * @param eps        - distance that is near enough; without one no point is, and all count.
 */
export function createNearest(task: Task, norm: MinimumNorm, cleanWrong: Uint8Array, eps: PerExample | undefined): Nearest {
  const { inputs, rows, size } = task;
  const radii = eps === undefined ? undefined : rowsOf(task, 'eps', eps);
  const distance = DISTANCES[norm];
  const points = inputs.slice();
  const distances = Float64Array.from({ length: rows }, (_, row) => (cleanWrong[row] === 1 ? 0 : Infinity));
  const found = (row: number): boolean => distances[row]! < Infinity && distances[row]! <= (radii?.[row] ?? Infinity);
  return {
    points,
    distances,
    meet: (row, point, away = distance(point, rowOf(inputs, row, size))) => {
      if (away >= distances[row]!) return;
      distances[row] = away;
      rowOf(points, row, size).set(point);
    },
    found,
    open: (row) => distances[row]! > (radii?.[row] ?? 0),
    result: () => {
      const returned = points.slice();
      for (let row = 0; row < rows; row++) if (!found(row)) rowOf(returned, row, size).set(rowOf(inputs, row, size));
      return returned;
    },
  };
}
