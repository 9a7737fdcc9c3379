// Shapes: B batch, D numbers of one example, R tokens of an example, E experts.
import type { MoeLayerInfo, MoeModel } from '@moe/core';
import { measure } from '../internal/measure.js';
import { type Problem, rowOf } from '../internal/problem.js';
import { cwRow } from '../losses/cw-loss.js';
import { weightedModel, weightsOf } from './aims.js';
import { type NearestRoutes, type RouteSearch, nearestRoutes } from './nearest-routes.js';
import { chosenOf, readRouting } from './scores.js';

/** What is known of an expert of a layer, by row. */
export interface Reach extends NearestRoutes {
  readonly expert: number;
  /** 1 where a token chooses it at the clean input. */
  readonly chosen: Uint8Array;
}

/** Where each expert of a layer begins to be chosen. */
export function reachOf(problem: Problem, moe: MoeModel, layer: MoeLayerInfo, search: RouteSearch): readonly Reach[] {
  const scores = readRouting(problem, moe, layer, 'gateLogits', problem.inputs);
  const width = scores.length / problem.rows;
  return Array.from({ length: layer.numExperts }, (_, expert) => {
    const chosen = Uint8Array.from({ length: problem.rows }, (__, row) => {
      for (let at = row * width; at < (row + 1) * width; at += layer.numExperts) if (chosenOf(scores.subarray(at, at + layer.numExperts), layer.topK).includes(expert)) return 1;
      return 0;
    });
    return { expert, chosen, ...nearestRoutes(problem, moe, layer, expert, scores, search) };
  });
}

/** Whether an input within `eps` chooses the expert. */
export const isReachable = ({ chosen, distances }: Reach, row: number, eps: number): boolean => chosen[row] === 1 || distances[row]! <= eps;

/** Reachable experts of each row, the one whose own answer is nearest to wrong first, each judged where it begins to be chosen. */
export function weakestFirst(problem: Problem, moe: MoeModel, layer: MoeLayerInfo, reaches: readonly Reach[], radii: Float64Array): readonly (readonly Reach[])[] {
  const rows = Array.from({ length: problem.rows }, (_, row) => row);
  const losses = reaches.map((reach) => {
    const points = problem.inputs.slice();
    for (const row of rows) rowOf(points, row, problem.size).set(startOf(problem, reach, row));
    const scores = readRouting(problem, moe, layer, 'gateLogits', points);
    const weights = weightsOf({ layer, experts: rows.map(() => [reach.expert]) }, scores, rows);
    return measure({ ...problem, model: weightedModel(moe, [{ layer, weights }]), compiled: undefined }, cwRow, points, rows, false).loss;
  });
  return rows.map((row) => {
    const open = reaches.map((reach, i) => ({ reach, loss: losses[i]![row]! })).filter(({ reach }) => isReachable(reach, row, radii[row]!));
    return open.sort((a, b) => b.loss - a.loss).map(({ reach }) => reach);
  });
}

/** Where an expert begins to be chosen; the clean input for a row that chooses it already. */
export const startOf = ({ inputs, size }: Problem, { points, chosen }: Reach, row: number): Float32Array => rowOf(chosen[row] === 1 ? inputs : points, row, size);
