// Shapes: B examples, N rows of one pass, R tokens of an example, E experts.
import { type LogitsFn, type MoeLayerInfo, type MoeModel, type Routing, expectArgument, topKIndices } from '@moe/core';
import { type Tensor2D, reshape } from '@tensorflow/tfjs-core';
import { measure } from '../internal/measure.js';
import type { Problem } from '../internal/problem.js';
import type { RowLoss } from '../losses/row-loss.js';

/** Routing of a layer in one pass. */
function routingOf(caller: string, routing: readonly Routing[], layer: string): Routing {
  const found = routing.find((entry) => entry.layer === layer);
  expectArgument(caller, 'model', found !== undefined, `tell the routing of '${layer}'`, routing.map((entry) => entry.layer));
  return found;
}

/** Scores or combine weights of a layer as if they were logits, `[B,R·E]`: attacks on routing are attacks on the scores. */
const routingFn =
  (caller: string, moe: MoeModel, layer: string, what: 'gateLogits' | 'combineWeights'): LogitsFn =>
  (inputs, draw) =>
    reshape(routingOf(caller, moe.forward(inputs, { ...(draw && { rng: draw.rng }) }).routing, layer)[what], [inputs.shape[0]!, -1]) as Tensor2D;

const onRouting = (problem: Problem, moe: MoeModel, layer: string, what: 'gateLogits' | 'combineWeights'): Problem => ({
  ...problem,
  model: routingFn(problem.caller, moe, layer, what),
  compiled: undefined,
  labels: new Int32Array(problem.rows),
});

/** The same task on the scores of a layer; losses of it look at no label. */
export const onScores = (problem: Problem, moe: MoeModel, layer: string): Problem => onRouting(problem, moe, layer, 'gateLogits');

const nothing: RowLoss = () => ({ loss: 0, scale: 1 });

/** Scores or combine weights of a layer at the given points, row-major `[B,R,E]`. */
export function readRouting(problem: Problem, moe: MoeModel, { name }: MoeLayerInfo, what: 'gateLogits' | 'combineWeights', points: Float32Array): Float32Array {
  const rows = Array.from({ length: problem.rows }, (_, row) => row);
  return measure(onRouting(problem, moe, name, what), nothing, points, rows, false).logits;
}

/** Chosen experts of one token, best first: those of highest score, `[K]`. */
export const chosenOf = (scores: Float32Array, topK: number): Int32Array => topKIndices(scores, scores.length, topK);

/** Standard deviation of the scores of one token. */
export function deviationOf(scores: Float32Array): number {
  const mean = scores.reduce((total, score) => total + score, 0) / scores.length;
  return Math.sqrt(scores.reduce((total, score) => total + (score - mean) ** 2, 0) / scores.length);
}
