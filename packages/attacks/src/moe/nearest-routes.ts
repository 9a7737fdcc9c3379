// Shapes: B examples, D numbers of one example, R tokens of an example, E experts, K chosen.
import { type Bounds, type MoeLayerInfo, type MoeModel, throwIfAborted } from '@moe/core';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { projectHyperplane } from '../geometry/hyperplane.js';
import { compactRows } from '../internal/compact.js';
import { measure } from '../internal/measure.js';
import { type Problem, rowOf } from '../internal/problem.js';
import type { RowLoss } from '../losses/row-loss.js';
import { chosenOf, onScores } from './scores.js';

export interface RouteSearch {
  readonly norm: AttackNorm;
  readonly bounds: Bounds;
  /** Gradient steps of one search; a router that is affine in the input takes two. */
  readonly steps: number;
}

/** Nearest input of each example at which an expert takes over a token, and how far away it is; infinite where none was found. */
export interface NearestRoutes {
  readonly points: Float32Array;
  readonly distances: Float64Array;
}

/** A token's expert that another one is to replace, as indices into the scores of an example. */
interface Swap {
  readonly from: number;
  readonly to: number;
}

// How far beyond the boundary a step goes, in shares of the gap: as FAB until a flip is known, then just enough for float32.
const [FIRST_EXCESS, EXCESS] = [0.05, 1e-4];
const HALVINGS = 10;
const SETTLED = 1e-3;

/**
 * Swaps that bring an expert in, of each row: in the token where its score is nearest to being enough, the expert that it replaces.
 *
 * @param rank - which of the K chosen experts is replaced, 0 the best.
 * @returns `undefined` for rows whose tokens all choose the expert.
 */
function swapsTo(expert: number, rank: number, { numExperts, topK }: MoeLayerInfo, scores: Float32Array, rows: number): (Swap | undefined)[] {
  const width = scores.length / rows;
  return Array.from({ length: rows }, (_, row) => {
    let [nearest, swap] = [Infinity, undefined as Swap | undefined];
    for (let at = 0; at < width; at += numExperts) {
      const token = scores.subarray(row * width + at, row * width + at + numExperts);
      const chosen = chosenOf(token, topK);
      if (chosen.includes(expert)) continue;
      const from = chosen[rank]!;
      const gap = token[from]! - token[expert]!;
      if (gap >= nearest) continue;
      [nearest, swap] = [gap, { from: at + from, to: at + expert }];
    }
    return swap;
  });
}

/** Lead of the expert that is to come over the one that is to go; positive once it has. */
const leadOf =
  (swaps: readonly (Swap | undefined)[]): RowLoss =>
  (scores, at, width, _label, direction, row) => {
    direction.fill(0, at, at + width);
    const swap = swaps[row];
    if (swap === undefined) return { loss: 0, scale: 1 };
    direction[at + swap.to] = 1;
    direction[at + swap.from] = -1;
    return { loss: scores[at + swap.to]! - scores[at + swap.from]!, scale: 1 };
  };

/**
 * Looks for each example's nearest input at which a token chooses an expert that it does not choose now.
 *
 * @remarks
 * Steps to where the lead of the expert over a chosen one, linearised, is zero: half way between the point of that hyperplane nearest to the current input and the one nearest to the clean input,
 * or, from a flipped point, to the latter; at last the way is halved. Exact where the scores are affine in the input. Assumes that a token's experts are those of highest score.
 *
 * @param scores - of the layer at the clean inputs, `[B,R,E]`.
 */
export function nearestRoutes(problem: Problem, moe: MoeModel, layer: MoeLayerInfo, expert: number, scores: Float32Array, search: RouteSearch): NearestRoutes {
  const { inputs, rows } = problem;
  const nearest = { points: inputs.slice(), distances: new Float64Array(rows).fill(Infinity) };
  // The scores that are swapped meet where one of the chosen experts gives way.
  for (let rank = 0; rank < layer.topK; rank++) {
    const swaps = swapsTo(expert, rank, layer, scores, rows);
    searchSwaps(onScores(problem, moe, layer.name), swaps, search, nearest);
  }
  return nearest;
}

function searchSwaps(problem: Problem, swaps: readonly (Swap | undefined)[], { norm, bounds, steps }: RouteSearch, nearest: NearestRoutes): void {
  const { inputs, rows, size, caller, context } = problem;
  const { distance } = GEOMETRIES[norm];
  const lead = leadOf(swaps);
  const points = inputs.slice();
  const [found, ends] = [new Float64Array(rows).fill(Infinity), inputs.slice()];
  const [fromPoint, fromClean] = [new Float32Array(size), new Float32Array(size)];
  const open = Uint8Array.from(swaps, (swap) => Number(swap !== undefined));
  const active = (row: number): boolean => open[row] === 1;
  let batch = compactRows(Array.from({ length: rows }, (_, row) => row), active);

  for (let step = 0; step <= steps && batch.length > 0; step++) {
    throwIfAborted(caller, context.signal);
    const { loss, gradient } = measure(problem, lead, points, batch, step < steps);
    batch.forEach((row, i) => {
      if (!active(row)) return;
      const [point, clean] = [rowOf(points, row, size), rowOf(inputs, row, size)];
      if (loss[i]! > 0) {
        const away = distance(point, clean);
        if (!(away < found[row]! * (1 - SETTLED))) open[row] = 0;
        if (away < found[row]!) {
          found[row] = away;
          rowOf(ends, row, size).set(point);
        }
      }
      if (gradient === undefined || !active(row)) return;
      const normal = rowOf(gradient, i, size);
      let ahead = 0;
      for (let k = 0; k < size; k++) ahead += normal[k]! * (clean[k]! - point[k]!);
      const excess = 1 + (found[row] === Infinity ? FIRST_EXCESS : EXCESS);
      projectHyperplane(norm, clean, normal, -(loss[i]! + ahead) * excess, bounds, fromClean);
      // A flipped point is drawn back to the clean input alone.
      if (loss[i]! > 0) for (let k = 0; k < size; k++) point[k] = clean[k]! + fromClean[k]!;
      else {
        projectHyperplane(norm, point, normal, -loss[i]! * excess, bounds, fromPoint);
        for (let k = 0; k < size; k++) point[k] = (point[k]! + fromPoint[k]! + clean[k]! + fromClean[k]!) / 2;
      }
    });
    batch = compactRows(batch, active);
  }
  halveWays(problem, lead, norm, found, ends);
  for (let row = 0; row < rows; row++) {
    if (found[row]! >= nearest.distances[row]!) continue;
    nearest.distances[row] = found[row]!;
    rowOf(nearest.points, row, size).set(rowOf(ends, row, size));
  }
}

/** Brings the points found as near to the clean inputs as halvings of the way between them can. */
function halveWays(problem: Problem, lead: RowLoss, norm: AttackNorm, found: Float64Array, ends: Float32Array): void {
  const { inputs, rows, size } = problem;
  const batch = compactRows(Array.from({ length: rows }, (_, row) => row), (row) => found[row]! < Infinity);
  if (batch.length === 0) return;
  const far = ends.slice();
  const points = inputs.slice();
  const [low, high] = [new Float64Array(rows), new Float64Array(rows).fill(1)];
  for (let halving = 0; halving <= HALVINGS; halving++) {
    const tried = (row: number): number => (low[row]! + high[row]!) / 2;
    for (const row of batch) {
      const [point, clean, end] = [rowOf(points, row, size), rowOf(inputs, row, size), rowOf(far, row, size)];
      for (let k = 0; k < size; k++) point[k] = clean[k]! + tried(row) * (end[k]! - clean[k]!);
    }
    const { loss } = measure(problem, lead, points, batch, false);
    batch.forEach((row, i) => {
      const share = tried(row);
      if (found[row] === Infinity || !(loss[i]! > 0)) low[row] = share;
      else {
        high[row] = share;
        rowOf(ends, row, size).set(rowOf(points, row, size));
        found[row] = GEOMETRIES[norm].distance(rowOf(points, row, size), rowOf(inputs, row, size));
      }
    });
  }
}
