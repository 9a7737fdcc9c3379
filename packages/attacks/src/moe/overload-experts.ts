// Shapes: B batch, R tokens of an example, E experts.
import { type LogitsFn, type MoeLayerInfo, type MoeModel, createRng, expectArgument, expectInteger, expectKnownKeys, throwIfAborted } from '@moe/core';
import { type Tensor, type Tensor1D, tensor, tidy, zeros } from '@tensorflow/tfjs-core';
import { GEOMETRIES } from '../geometry/geometry.js';
import { measure } from '../internal/measure.js';
import { expectSharedOptions } from '../internal/options.js';
import { ballsOf } from '../internal/per-example.js';
import { type Problem, createProblem, rowOf } from '../internal/problem.js';
import { shortfallOf } from './aims.js';
import { choosing, moeOf } from './moe-of.js';
import type { RoutingAttacksOptions } from './routing-attacks.js';
import { onScores } from './scores.js';

export interface OverloadExpertsOptions extends RoutingAttacksOptions {
  /** Layer that is attacked, by name. @defaultValue the first that chooses */
  readonly layer?: string;
  /** Gradient steps towards each expert. @defaultValue 20 */
  readonly steps?: number;
  /** Checked between steps. */
  readonly signal?: AbortSignal;
}

/** Load of a layer in one pass over a batch. */
export interface ExpertLoad {
  /** Largest share of the routed tokens that one expert runs, in `[0, 1]`. */
  readonly largestShare: number;
  /** Share of (token, choice) pairs that capacity dropped, in `[0, 1]`. */
  readonly droppedFraction: number;
}

/** Outcome of {@link overloadExperts}. */
export interface Overload {
  /** Inputs of the attacked batch, `[B,…]`, within ball and bounds; the caller disposes them. */
  readonly adversarial: Tensor;
  /** Expert that they crowd into. */
  readonly expert: number;
  readonly before: ExpertLoad;
  readonly after: ExpertLoad;
}

/**
 * Sends as many tokens of a batch as it can to one expert: an attack on availability, not on predictions.
 *
 * @remarks
 * Where capacity is limited, tokens beyond it are dropped; elsewhere the fullest expert decides how long a batch takes. Tries every expert: sign or gradient steps of eps / 4 on the mean shortfall
 * of the expert's score in the tokens that do not choose it, and takes the expert that drops most, then that of the largest share. The batch is run as it is, since its load is that of all rows
 * together. No random draws. Never part of a robust accuracy.
 *
 * @param model  - brings `moe`, such as `logitsFn(moeModel(network))`.
 * @param inputs - clean `[B,…]`, float32 within bounds.
 * @throws {@link ArgumentError} if the model brings no MoE model, the layer does not choose, or an option is out of range.
 * @see On batches as a way in: {@link https://arxiv.org/abs/2402.05526 | Hayes et al. 2024}.
 *
 * @example
 * const { adversarial, before, after } = overloadExperts(logitsFn(model), images, { eps: 8 / 255 });
 */
export function overloadExperts(model: LogitsFn, inputs: Tensor, options: OverloadExpertsOptions): Overload {
  expectKnownKeys('overloadExperts', options, ['eps', 'norm', 'bounds', 'layer', 'steps', 'signal']);
  const { eps, norm = 'Linf', bounds = [0, 1], steps = 20, signal } = options;
  expectSharedOptions('overloadExperts', { eps, norm, bounds, loss: 'ce', label: '' }, undefined);
  expectInteger('overloadExperts', 'steps', steps, 1);
  const moe = moeOf('overloadExperts', model);
  const known = choosing(moe);
  const layer = options.layer === undefined ? known[0] : known.find(({ name }) => name === options.layer);
  expectArgument('overloadExperts', 'layer', layer !== undefined, `be a layer that chooses (${known.map(({ name }) => name).join(', ')})`, options.layer);
  const labels = zeros([inputs.shape[0] ?? 0], 'int32') as Tensor1D; // of no consequence
  let problem: Problem;
  try {
    problem = createProblem('overloadExperts', model, inputs, labels, { rng: createRng(0), ...(signal !== undefined && { signal }) }, bounds);
  } finally {
    labels.dispose();
  }
  const before = loadOf(problem, moe, layer, problem.inputs);
  let best: { readonly points: Float32Array; readonly expert: number; readonly after: ExpertLoad } | undefined;
  for (let expert = 0; expert < layer.numExperts; expert++) {
    const points = crowd(problem, moe, layer, expert, { eps, norm, bounds, steps });
    const after = loadOf(problem, moe, layer, points);
    if (best === undefined || after.droppedFraction > best.after.droppedFraction || (after.droppedFraction === best.after.droppedFraction && after.largestShare > best.after.largestShare)) best = { points, expert, after };
  }
  const { points, expert, after } = best!;
  return { adversarial: tensor(points, inputs.shape), expert, before, after };
}

/** Points at which as many tokens as possible choose an expert. */
function crowd(problem: Problem, moe: MoeModel, layer: MoeLayerInfo, expert: number, { eps, norm, bounds, steps }: Required<RoutingAttacksOptions> & { readonly steps: number }): Float32Array {
  const { inputs, rows, size, caller, context } = problem;
  const { ascend, project } = GEOMETRIES[norm];
  const balls = ballsOf(problem, eps, bounds);
  const all = Array.from({ length: rows }, (_, row) => row);
  const task = onScores(problem, moe, layer.name);
  const shortfall = shortfallOf({ layer, experts: all.map(() => [expert]) });
  const points = inputs.slice();
  for (let step = 0; step < steps; step++) {
    throwIfAborted(caller, context.signal);
    const { loss, gradient } = measure(task, shortfall, points, all, true);
    for (const row of all) {
      if (loss[row] === 0) continue; // every token has come
      const point = rowOf(points, row, size);
      ascend(point, rowOf(gradient!, row, size), balls[row]!.eps / 4, point, bounds);
      project(point, rowOf(inputs, row, size), balls[row]!, point);
    }
  }
  return points;
}

/** Load of a layer when the whole batch runs at once. */
function loadOf({ shape, rows }: Problem, moe: MoeModel, { name, numExperts }: MoeLayerInfo, points: Float32Array): ExpertLoad {
  let load: ExpertLoad | undefined;
  tidy(() => {
    const { combineWeights, droppedFraction } = moe.forward(tensor(points.slice(), [rows, ...shape])).routing.find(({ layer }) => layer === name)!;
    const weights = combineWeights.dataSync();
    const counts = new Float64Array(numExperts);
    for (let i = 0; i < weights.length; i++) counts[i % numExperts]! += Number(weights[i]! > 0);
    const routed = counts.reduce((total, count) => total + count, 0);
    load = { largestShare: Math.max(...counts) / Math.max(1, routed), droppedFraction };
  });
  return load!;
}
