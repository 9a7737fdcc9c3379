// Shapes: B batch, D numbers of one example.
import { throwIfAborted } from '@moe/core';
import type { Search } from '../black-box/query-attack.js';
import { runSearch } from '../black-box/run-search.js';
import { GEOMETRIES, type MinimumNorm } from '../geometry/geometry.js';
import { distanceL0, projectL0 } from '../geometry/l0.js';
import { type Problem, type Task, rowOf } from '../internal/problem.js';
import type { Nearest } from './nearest.js';

/** Where a row is after a share of its way from the clean input to a misclassified point, into `out`. */
export type Way = (row: number, share: number, out: Float32Array) => void;

/** Straight ways to the given points `[B,D]`; for L-inf, the points cut to smaller and smaller cubes; for L0, their largest changes alone, fewer and fewer. */
export function straightWay({ inputs, size }: Task, norm: MinimumNorm, ends: Float32Array): Way {
  const far = ends.slice();
  return (row, share, out) => {
    const [clean, end] = [rowOf(inputs, row, size), rowOf(far, row, size)];
    if (norm === 'L0') {
      projectL0(end, clean, { eps: share * distanceL0(end, clean), bounds: [-Infinity, Infinity] }, out);
      return;
    }
    const most = norm === 'Linf' ? share * GEOMETRIES.Linf.distance(end, clean) : Infinity;
    const factor = norm === 'Linf' ? 1 : share;
    for (let k = 0; k < out.length; k++) out[k] = clean[k]! + Math.min(Math.max(factor * (end[k]! - clean[k]!), -most), most);
  };
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
 * @param way   - leads to `ends`.
 * @param ends  - misclassified points `[B,D]`; replaced by nearer ones.
 * @param batch - rows to move.
 */
export function* halve(task: Task, way: Way, ends: Float32Array, batch: readonly number[], { first, precision, most }: Halving): Search<void> {
  const { size, rows, caller, context } = task;
  const [low, high, tried] = [new Float64Array(rows), new Float64Array(rows).fill(1), new Float64Array(rows).fill(first)];
  let left = batch;
  for (let count = 0; count < most && left.length > 0; count++) {
    throwIfAborted(caller, context.signal);
    const points = new Float32Array(left.length * size);
    left.forEach((row, i) => way(row, tried[row]!, rowOf(points, i, size)));
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
export function refine(problem: Problem, way: Way, nearest: Nearest): void {
  const batch = Array.from({ length: problem.rows }, (_, row) => row).filter((row) => nearest.open(row) && nearest.distances[row]! < Infinity);
  const ends = nearest.points.slice();
  runSearch(problem, halve(problem, way, ends, batch, BACK));
  for (const row of batch) nearest.meet(row, rowOf(ends, row, problem.size));
}
