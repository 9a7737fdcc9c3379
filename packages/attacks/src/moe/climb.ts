// Shapes: B batch, N rows of one pass, D numbers of one example.
import { type Bounds, throwIfAborted } from '@moe/core';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { keepBest } from '../internal/best.js';
import { compactRows } from '../internal/compact.js';
import { measure } from '../internal/measure.js';
import { type PerExample, ballsOf } from '../internal/per-example.js';
import { type BestPoints, type Problem, rowOf } from '../internal/problem.js';
import type { RowLoss } from '../losses/row-loss.js';

/** Says for each row of a pass where to go from its point, `[N,D]`; only directions count. */
export type Pull = (points: Float32Array, batch: readonly number[]) => Float32Array;

export interface ClimbOptions {
  readonly eps: PerExample;
  readonly norm: AttackNorm;
  readonly bounds: Bounds;
  readonly steps: number;
}

/** Which of several climbs this is, for progress. */
export interface ClimbPlace {
  readonly run: number;
  readonly runs: number;
}

// The first and the shortest step, in radii of the ball; between them the step follows a cosine.
const [FIRST, LAST] = [0.5, 0.02];
const stepAt = (step: number, steps: number): number => LAST + ((FIRST - LAST) * (1 + Math.cos((Math.PI * step) / steps))) / 2;

/**
 * Walks along somebody else's directions and lets the model itself judge every point, since steered copies of it only say where to look.
 *
 * @param points   - starts `[B,D]`; written to.
 * @param standing - rows to attack; a row stops as soon as the model is fooled.
 */
export function climb(problem: Problem, { eps, norm, bounds, steps }: ClimbOptions, rowLoss: RowLoss, best: BestPoints, points: Float32Array, standing: readonly number[], { run, runs }: ClimbPlace, pull: Pull): void {
  const { inputs, size, caller, context } = problem;
  const { ascend, project } = GEOMETRIES[norm];
  const balls = ballsOf(problem, eps, bounds);
  const attacked = new Set(standing);
  const active = (row: number): boolean => attacked.has(row) && best.wrong[row] === 0;
  let batch = compactRows(standing, active);
  for (let step = 0; step <= steps && batch.length > 0; step++) {
    throwIfAborted(caller, context.signal);
    const meanLoss = keepBest(problem, best, points, batch, measure(problem, rowLoss, points, batch, false), 'misclassify');
    context.onStep?.({ step: run * (steps + 1) + step, steps: runs * (steps + 1), meanLoss });
    batch = compactRows(batch, active);
    if (step === steps || batch.length === 0) break;
    const directions = pull(points, batch);
    batch.forEach((row, i) => {
      if (!active(row)) return;
      const point = rowOf(points, row, size);
      ascend(point, rowOf(directions, i, size), balls[row]!.eps * stepAt(step, steps), point, bounds);
      project(point, rowOf(inputs, row, size), balls[row]!, point);
    });
  }
}
