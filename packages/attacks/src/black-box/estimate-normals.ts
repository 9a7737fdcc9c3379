// Shapes: D numbers of one example.
import { type Bounds, throwIfAborted } from '@moe/core';
import type { AttackNorm } from '../geometry/geometry.js';
import { type Task, exampleRng, rowOf } from '../internal/problem.js';
import type { Search } from './query-attack.js';

/** Points that are asked about together, so that memory does not grow with the number of queries. */
const TOGETHER = 256;

/**
 * Direction in which a point near the boundary gets misclassified, from the classes of random points around it: eq. (9) and (16) of Chen et al. 2020.
 *
 * @param points - row-major `[B,D]`, all rows.
 * @param batch  - rows whose normals are wanted.
 * @param radii  - distance of the random points in L2, one for each row of `batch`.
 * @param step   - selects the draws.
 * @param count  - random points of each row.
 * @returns Unit vectors `[D]`, one for each row of `batch`.
 */
export function* estimateNormals(
  task: Task,
  norm: AttackNorm,
  [low, high]: Bounds,
  points: Float32Array,
  batch: readonly number[],
  radii: readonly number[],
  step: number,
  count: number,
): Search<Float64Array[]> {
  const { size, caller, context } = task;
  const signed = batch.map(() => new Float64Array(size));
  const plain = batch.map(() => new Float64Array(size));
  const balance = new Float64Array(batch.length);
  const streams = batch.map((row) => exampleRng(task, row, 0).stream('normal').at(step));
  const each = Math.max(1, Math.floor(TOGETHER / batch.length));
  for (let from = 0; from < count; from += each) {
    throwIfAborted(caller, context.signal);
    const some = Math.min(each, count - from);
    const tried = new Float32Array(batch.length * some * size);
    batch.forEach((row, i) => {
      const point = rowOf(points, row, size);
      for (let j = 0; j < some; j++) {
        const rng = streams[i]!.at(from + j);
        const draws = norm === 'Linf' ? rng.uniform(size, -1, 1) : rng.normal(size);
        const out = rowOf(tried, i * some + j, size);
        const scale = radii[i]! / Math.hypot(1e-12, Math.sqrt(draws.reduce((total, value) => total + value * value, 0)));
        for (let k = 0; k < size; k++) out[k] = Math.min(Math.max(point[k]! + scale * draws[k]!, low), high);
      }
    });
    const { wrong } = yield { points: tried.slice(), rows: batch.flatMap((row) => new Array<number>(some).fill(row)) };
    batch.forEach((row, i) => {
      const point = rowOf(points, row, size);
      for (let j = 0; j < some; j++) {
        const sign = wrong[i * some + j] === 1 ? 1 : -1;
        const out = rowOf(tried, i * some + j, size);
        balance[i]! += sign;
        for (let k = 0; k < size; k++) {
          const change = out[k]! - point[k]!;
          signed[i]![k]! += sign * change;
          plain[i]![k]! += change;
        }
      }
    });
  }
  return batch.map((_, i) => {
    const mean = balance[i]! / count;
    // Where all points are of one kind the mean would cancel everything.
    const baseline = Math.abs(mean) === 1 ? 0 : mean;
    const normal = signed[i]!.map((value, k) => value - baseline * plain[i]![k]!);
    const length = Math.sqrt(normal.reduce((total, value) => total + value * value, 0));
    return normal.map((value) => value / (length + 1e-30));
  });
}
