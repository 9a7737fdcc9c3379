// Shapes: B batch, D numbers of one example.
import { throwIfAborted } from '@moe/core';
import type { Search } from '../black-box/query-attack.js';
import { runSearch } from '../black-box/run-search.js';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { type Problem, type Task, rowOf } from '../internal/problem.js';
import type { Nearest } from './nearest.js';

/** The point at a share of the distance from `clean` to `far`: on the line between them, or for L-inf `far` cut to the smaller cube. */
function between(norm: AttackNorm, clean: Float32Array, far: Float32Array, share: number, out: Float32Array): void {
  const most = norm === 'Linf' ? share * GEOMETRIES.Linf.distance(far, clean) : Infinity;
  const factor = norm === 'Linf' ? 1 : share;
  for (let k = 0; k < out.length; k++) out[k] = clean[k]! + Math.min(Math.max(factor * (far[k]! - clean[k]!), -most), most);
}

export interface Halving {
  /** Share of the way that is tried first. */
  readonly first: number;
  /** Share of its distance by which an end may be too far. */
  readonly precision: number;
  /** Most points that are tried for a row. */
  readonly most: number;
}

/**
 * Moves misclassified points towards their clean inputs, by halving, until no nearer point on the way is known to be misclassified.
 *
 * @param ends  - misclassified points `[B,D]`; replaced by nearer ones.
 * @param batch - rows to move.
 */
export function* halve(task: Task, norm: AttackNorm, ends: Float32Array, batch: readonly number[], { first, precision, most }: Halving): Search<void> {
  const { inputs, size, rows, caller, context } = task;
  const far = ends.slice();
  const [low, high, tried] = [new Float64Array(rows), new Float64Array(rows).fill(1), new Float64Array(rows).fill(first)];
  let left = batch;
  for (let count = 0; count < most && left.length > 0; count++) {
    throwIfAborted(caller, context.signal);
    const points = new Float32Array(left.length * size);
    left.forEach((row, i) => between(norm, rowOf(inputs, row, size), rowOf(far, row, size), tried[row]!, rowOf(points, i, size)));
    const { wrong } = yield { points: points.slice(), rows: left };
    left.forEach((row, i) => {
      if (wrong[i] === 0) low[row] = tried[row]!;
      else {
        high[row] = tried[row]!;
        rowOf(ends, row, size).set(rowOf(points, i, size));
      }
      tried[row] = (low[row]! + high[row]!) / 2;
    });
    left = left.filter((row) => high[row]! - low[row]! > precision * high[row]!);
  }
}

// What the attacks find is seldom a tenth too far; then ten halvings leave a ten-thousandth.
const BACK: Halving = { first: 0.9, precision: 1e-4, most: 40 };

/** Brings the nearest points of all open rows to the boundary, in eleven forward passes as a rule. */
export function refine(problem: Problem, norm: AttackNorm, nearest: Nearest): void {
  const batch = Array.from({ length: problem.rows }, (_, row) => row).filter((row) => nearest.open(row) && nearest.distances[row]! < Infinity);
  const ends = nearest.points.slice();
  runSearch(problem, halve(problem, norm, ends, batch, BACK));
  for (const row of batch) nearest.meet(row, rowOf(ends, row, problem.size));
}
