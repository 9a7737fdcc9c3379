// Shapes: B batch, D numbers of one example.
import { type Bounds, expectArgument, expectInteger, expectKnownKeys, throwIfAborted } from '@moe/core';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { freeze, nameOf } from '../internal/options.js';
import { type Task, createProblem, exampleRng, pickRows, rowOf, toPerturbation } from '../internal/problem.js';
import { type Halving, halve, straightWay } from '../minimum-norm/boundary.js';
import { MINIMUM_NORM_KEYS, type MinimumNormAttack, type MinimumNormOptions, type RecordedMinimumNorm, distancesOf, expectMinimumNormOptions } from '../minimum-norm/minimum-norm-attack.js';
import { type Nearest, createNearest } from '../minimum-norm/nearest.js';
import { estimateNormals } from './estimate-normals.js';
import { type QueryAttack, type Search, queryAttack } from './query-attack.js';
import { countQueries, runSearch } from './run-search.js';

export interface HopSkipJumpOptions extends MinimumNormOptions {
  /** @defaultValue 'L2' */
  readonly norm?: 'L2' | 'Linf';
  /** Images that the model may be asked about for one example, all in all. @defaultValue 25000 (Chen et al. 2020, Sec. V) */
  readonly queries?: number;
  /** Queries for the first estimate of a normal; grows with the square root of the step, to at most 10,000. @defaultValue 100 (Chen et al. 2020, Sec. V) */
  readonly firstEstimate?: number;
}

type Filled = RecordedMinimumNorm<HopSkipJumpOptions>;

/** Random images that are tried until one is misclassified. */
const STARTS = 100;
const MOST_ESTIMATE = 10_000; // Chen et al. 2020, released code
const FIRST_RADIUS = 0.1; // in widths of the bounds; released code
const LEAST_RADIUS = 1e-6; // in widths of the bounds, a coordinate
const COARSEST = 1e-4;
/** A jump that is halved so often is no longer one in float32. */
const MOST_SHORTENINGS = 25;

/**
 * HopSkipJump: walks along the decision boundary towards the input, knowing nothing but predicted classes.
 *
 * @remarks
 * From a misclassified image of uniform noise it halves its way to the boundary; then, step by step, it estimates the normal of the boundary from the classes of random points nearby, jumps
 * along it, shortens the jump until the point is misclassified, and halves its way back. A step is done in full or not at all, so that more `queries` never give a farther point.
 *
 * Differs from the source: a jump is given up after 25 halvings; random points are at least 1e-6 of the bounds away in each coordinate, which float32 needs for large images; halving is never coarser
 * than a ten-thousandth, which matters for small ones; the nearest point is returned, not the last. The reported loss is 1 where misclassified, else 0.
 *
 * @returns A frozen attack, also for {@link attackBlackBox}; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1904.02144 | Chen et al. 2020}, Algorithm 2.
 *
 * @example
 * const { distances } = hopSkipJump({ norm: 'L2', queries: 5000 }).perturb(model, inputs, labels, { rng: createRng(1) });
 */
export function hopSkipJump(options: HopSkipJumpOptions = {}): MinimumNormAttack<Filled> & QueryAttack<Filled> {
  expectKnownKeys('hopSkipJump', options, [...MINIMUM_NORM_KEYS, 'queries', 'firstEstimate']);
  const { eps, norm = 'L2', bounds = [0, 1], label = '', queries = 25_000, firstEstimate = 100 } = options;
  const filled = freeze({ ...(eps !== undefined && { eps }), norm, bounds, label, queries, firstEstimate });
  expectMinimumNormOptions('hopSkipJump', filled);
  expectArgument('hopSkipJump', 'norm', norm !== ('L1' as string), "be one of 'L2', 'Linf'", norm);
  expectInteger('hopSkipJump', 'queries', queries, 1);
  expectInteger('hopSkipJump', 'firstEstimate', firstEstimate, 1);
  const name = nameOf('hopSkipJump', label);
  const start = (task: Task): Search => {
    const asked = new Int32Array(task.rows);
    return countQueries(asked, search(task, filled, asked));
  };
  return Object.freeze({
    ...queryAttack(name, filled, 'decision', start),
    perturb: (...[model, inputs, labels, context]: Parameters<MinimumNormAttack['perturb']>) => {
      const problem = createProblem(name, model, inputs, labels, context, filled.bounds);
      const best = runSearch(problem, start(problem));
      return { ...toPerturbation(problem, best), distances: distancesOf(problem, norm, best) };
    },
  });
}

function* search(task: Task, { eps, norm, bounds, queries, firstEstimate }: Filled, asked: Int32Array): Search {
  const { inputs, rows, size, caller, context } = task;
  const width = bounds[1] - bounds[0];
  const precision = Math.min(COARSEST, norm === 'Linf' ? size ** -2 : size ** -1.5);
  const halving: Halving = { first: 0.5, precision, most: Math.ceil(-Math.log2(precision)) };
  /** Queries for a normal, one jump and the way back. */
  const cost = (step: number): number => estimateSize(step) + 1 + halving.most;
  const estimateSize = (step: number): number => Math.min(Math.floor(firstEstimate * Math.sqrt(step + 1)), MOST_ESTIMATE);
  const affords = (row: number, queriesMore: number): boolean => asked[row]! + queriesMore <= queries;

  const all = Array.from({ length: rows }, (_, row) => row);
  const { wrong } = yield { points: inputs.slice(), rows: all };
  const nearest = createNearest(task, norm, wrong, eps);
  const points = inputs.slice();
  yield* findStarts(task, bounds, nearest, points, (row) => affords(row, 1));
  const started = all.filter((row) => nearest.open(row) && nearest.distances[row]! < Infinity);
  let arrived = started.filter((row) => affords(row, halving.most));
  for (let step = 0; ; step++) {
    throwIfAborted(caller, context.signal);
    yield* halve(task, straightWay(task, norm, points), points, arrived, halving);
    for (const row of arrived) nearest.meet(row, rowOf(points, row, size));
    const batch = started.filter((row) => nearest.open(row) && affords(row, cost(step)));
    context.onStep?.({ step, steps: stepsWithin(queries - 1, cost, step), meanLoss: started.length / rows });
    if (batch.length === 0) break;

    const lengths = batch.map((row) => GEOMETRIES[norm].distance(rowOf(points, row, size), rowOf(inputs, row, size)));
    const radii = lengths.map((length) => Math.max(step === 0 ? FIRST_RADIUS * width : length / size, LEAST_RADIUS * width * Math.sqrt(size)));
    const normals = yield* estimateNormals(task, norm, bounds, points, batch, radii, step, estimateSize(step));
    arrived = yield* jump(task, norm, bounds, points, batch, normals, lengths.map((length) => length / Math.sqrt(step + 1)), (row) => affords(row, 1 + halving.most));
  }
  const fooled = Uint8Array.from(all, (row) => Number(nearest.found(row)));
  return { points: nearest.result(), wrong: fooled, loss: Float64Array.from(fooled) };
}

/** At least how many steps fit into a budget; never fewer than were done. */
function stepsWithin(budget: number, cost: (step: number) => number, done: number): number {
  let steps = 0;
  for (let spent = cost(0); spent <= budget; spent += cost(steps)) steps++;
  return Math.max(steps, done) + 1;
}

/** Draws images of uniform noise until one is misclassified, for every open row; leaves them in `points`. */
function* findStarts(task: Task, [low, high]: Bounds, nearest: Nearest, points: Float32Array, affords: (row: number) => boolean): Search<void> {
  const { rows, size, caller, context } = task;
  let left = Array.from({ length: rows }, (_, row) => row).filter(nearest.open);
  for (let attempt = 0; attempt < STARTS; attempt++) {
    left = left.filter((row) => nearest.distances[row] === Infinity && affords(row));
    if (left.length === 0) return;
    throwIfAborted(caller, context.signal);
    for (const row of left) rowOf(points, row, size).set(exampleRng(task, row, 0).stream('start').at(attempt).uniform(size, low, high));
    const { wrong } = yield { points: pickRows(points, left, size), rows: left };
    left.forEach((row, i) => void (wrong[i] === 1 && nearest.meet(row, rowOf(points, row, size))));
  }
}

/** Moves points along their normals, by lengths that are halved until the point is misclassified; returns the rows for which it is. */
function* jump(
  task: Task,
  norm: AttackNorm,
  [low, high]: Bounds,
  points: Float32Array,
  batch: readonly number[],
  normals: readonly Float64Array[],
  lengths: number[],
  affords: (row: number) => boolean,
): Search<number[]> {
  const { size, caller, context } = task;
  const arrived: number[] = [];
  let left = batch.map((row, i) => ({ row, i }));
  for (let shortening = 0; shortening < MOST_SHORTENINGS && left.length > 0; shortening++) {
    throwIfAborted(caller, context.signal);
    const candidates = new Float32Array(left.length * size);
    left.forEach(({ row, i }, at) => {
      const [point, normal, candidate] = [rowOf(points, row, size), normals[i]!, rowOf(candidates, at, size)];
      for (let k = 0; k < size; k++) {
        const slope = norm === 'Linf' ? Math.sign(normal[k]!) : normal[k]!;
        candidate[k] = Math.min(Math.max(point[k]! + lengths[i]! * slope, low), high);
      }
    });
    const { wrong } = yield { points: candidates.slice(), rows: left.map(({ row }) => row) };
    left = left.filter(({ row, i }, at) => {
      if (wrong[at] === 1) {
        rowOf(points, row, size).set(rowOf(candidates, at, size));
        arrived.push(row);
        return false;
      }
      lengths[i]! /= 2;
      return affords(row);
    });
  }
  return arrived;
}
