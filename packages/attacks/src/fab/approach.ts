// Shapes: B batch, D numbers of one example.
import { type Bounds, throwIfAborted } from '@moe/core';
import type { Ball } from '../geometry/ball.js';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { furthestChange, projectHyperplane } from '../geometry/hyperplane.js';
import { compactRows } from '../internal/compact.js';
import { measure } from '../internal/measure.js';
import { type PerExample, ballsOf } from '../internal/per-example.js';
import { type Problem, rowOf } from '../internal/problem.js';
import { cwRow } from '../losses/cw-loss.js';
import { type Way, straightWay } from '../minimum-norm/boundary.js';
import { type Nearest, createNearest } from '../minimum-norm/nearest.js';
import { type Boundaries, createBoundaries, findBoundaries } from './boundary.js';

// Croce & Hein 2020, Sec. 3 and released code.
const MOST_BIAS = 0.1;
const OVERSHOOT = 1.05;
const BACKWARD = 0.9;
const LEAST_DISTANCE = 1e-8;

/** One run of FAB over the rows that still stand. */
export interface Approach {
  /** Radius of the balls; without, there are none, and every row takes all steps. */
  readonly eps?: PerExample;
  readonly norm: AttackNorm;
  readonly bounds: Bounds;
  readonly steps: number;
  /** Classes to make for: of each list, every row takes its own; where there are several, the one whose boundary looks nearest. */
  readonly aims: readonly Int32Array[];
  /** First points, row-major `[B,D]`; written to. */
  readonly points: Float32Array;
  readonly standing: readonly number[];
  /** Nearest misclassified points of all runs. */
  readonly nearest: Nearest;
  /** Number of this run, and of all, for progress. */
  readonly run: number;
  readonly runs: number;
}

/** Walks every row towards its boundary, then along the way to the nearest point found; a row with `eps` stops at the first point within it. */
export function approach(problem: Problem, options: Approach): void {
  const { inputs, size, rows, caller, context } = problem;
  const { norm, bounds, steps, aims, points, run, runs } = options;
  const boundaries = createBoundaries(problem);
  // The edge of the ball is tried towards what this run met, wherever others have been.
  const own = createNearest(problem, norm, new Uint8Array(rows), undefined);
  const move = mover(norm, bounds, size);
  const active = options.nearest.open;
  const meet = (row: number, point: Float32Array): void => {
    own.meet(row, point);
    options.nearest.meet(row, point);
  };
  let batch = compactRows(options.standing, active);

  for (let step = 0; step < steps && batch.length > 0; step++) {
    throwIfAborted(caller, context.signal);
    findBoundaries(problem, norm, aims, points, batch, boundaries);
    for (const row of batch) {
      if (!active(row)) continue;
      const [point, clean] = [rowOf(points, row, size), rowOf(inputs, row, size)];
      // A start, or a point stepped back to, may be misclassified itself.
      if (boundaries.wrong[row] === 1) meet(row, point);
      if (active(row)) move(point, clean, boundaries, row);
    }
    const judged = measure(problem, cwRow, points, batch, false);
    let [total, count] = [0, 0];
    batch.forEach((row, i) => {
      if (!active(row)) return;
      total += judged.loss[i]!;
      count++;
      if (judged.wrong[i] === 0) return;
      const [point, clean] = [rowOf(points, row, size), rowOf(inputs, row, size)];
      meet(row, point);
      for (let k = 0; k < size; k++) point[k] = clean[k]! + BACKWARD * (point[k]! - clean[k]!);
    });
    context.onStep?.({ step: run * steps + step, steps: runs * steps, meanLoss: total / Math.max(count, 1) });
    batch = compactRows(batch, active);
  }
  if (options.eps === undefined) return;
  const balls = ballsOf(problem, options.eps, bounds);
  tryEdge(problem, options, balls, own);
  tryFurthest(problem, options, balls, own, boundaries);
}

/** The ways to the nearest points, which are halved at last where there are no balls. */
export const wayOf = (problem: Problem, { eps, norm }: Pick<Approach, 'eps' | 'norm'>, nearest: Nearest): Way | undefined => (eps === undefined ? straightWay(problem, norm, nearest.points) : undefined);

/** A step towards the boundary, biased towards the point of it that is nearest to the clean input. */
function mover(norm: AttackNorm, bounds: Bounds, size: number): (point: Float32Array, clean: Float32Array, boundaries: Boundaries, row: number) => void {
  const { distance } = GEOMETRIES[norm];
  const [low, high] = bounds;
  const origin = new Float32Array(size);
  const [fromPoint, fromClean] = [new Float32Array(size), new Float32Array(size)];
  return (point, clean, { gaps, normals }, row) => {
    const [gap, normal] = [gaps[row]!, rowOf(normals, row, size)];
    projectHyperplane(norm, point, normal, -gap, bounds, fromPoint);
    // The boundary as linearised at the point, seen from the clean input.
    let ahead = 0;
    for (let k = 0; k < size; k++) ahead += normal[k]! * (clean[k]! - point[k]!);
    projectHyperplane(norm, clean, normal, -(gap + ahead), bounds, fromClean);
    const [a, b] = [Math.max(distance(fromPoint, origin), LEAST_DISTANCE), Math.max(distance(fromClean, origin), LEAST_DISTANCE)];
    const bias = Math.min(a / (a + b), MOST_BIAS);
    for (let k = 0; k < size; k++) {
      const moved = (1 - bias) * (point[k]! + OVERSHOOT * fromPoint[k]!) + bias * (clean[k]! + OVERSHOOT * fromClean[k]!);
      point[k] = Math.min(Math.max(moved, low), high);
    }
  };
}

/** Where the way to the nearest point found leaves the ball, for rows where that point was not near enough. */
function tryEdge(problem: Problem, options: Approach, balls: readonly Ball[], own: Nearest): void {
  tryOnce(problem, options, balls, own, (row, point, clean) => {
    const end = rowOf(own.points, row, problem.size);
    const share = Math.min(1, balls[row]!.eps / own.distances[row]!);
    for (let k = 0; k < point.length; k++) point[k] = clean[k]! + share * (end[k]! - clean[k]!);
  });
}

/** The point of the ball that goes furthest beyond the boundary as linearised at the nearest point found; where bounds are met, it lies off the way there. */
function tryFurthest(problem: Problem, options: Approach, balls: readonly Ball[], own: Nearest, boundaries: Boundaries): void {
  const batch = compactRows(options.standing, isOpen(options, own));
  if (batch.length === 0) return;
  findBoundaries(problem, options.norm, options.aims, own.points, batch, boundaries);
  tryOnce(problem, options, balls, own, (row, point, clean) => {
    const { eps, bounds } = balls[row]!;
    furthestChange(options.norm, clean, rowOf(boundaries.normals, row, problem.size), eps, bounds, point);
    for (let k = 0; k < point.length; k++) point[k]! += clean[k]!;
  });
}

const isOpen =
  ({ nearest }: Approach, { distances }: Nearest) =>
  (row: number): boolean =>
    nearest.open(row) && distances[row]! < Infinity;

/** One more point for every row that still stands and was misclassified somewhere. */
function tryOnce(problem: Problem, options: Approach, balls: readonly Ball[], own: Nearest, place: (row: number, point: Float32Array, clean: Float32Array) => void): void {
  const { inputs, size } = problem;
  const { nearest, norm, points } = options;
  const { project, distance } = GEOMETRIES[norm];
  const open = isOpen(options, own);
  const batch = compactRows(options.standing, open);
  if (batch.length === 0) return;
  for (const row of batch) {
    if (!open(row)) continue;
    const [point, clean] = [rowOf(points, row, size), rowOf(inputs, row, size)];
    place(row, point, clean);
    project(point, clean, balls[row]!, point);
  }
  const { wrong } = measure(problem, cwRow, points, batch, false);
  batch.forEach((row, i) => {
    if (!open(row) || wrong[i] === 0) return;
    const point = rowOf(points, row, size);
    // Projected points lie in the ball but for rounding.
    nearest.meet(row, point, Math.min(distance(point, rowOf(inputs, row, size)), balls[row]!.eps));
  });
}
