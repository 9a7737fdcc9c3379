// Shapes: B batch, R tokens of an example, T = B·R rows of a layer, E experts.
import { type Tensor, type Tensor2D, dispose, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { type LogitsFn, type MoeModel, type Rng, topKIndices } from '@moe/core';
import type { TrainingBatch } from '../objectives/objective.js';
import { choosingLayers } from './choosing-layers.js';
import { routingOf } from './routing-pairs.js';

/** Which experts a batch is sent to instead of those that the routers choose. */
export type ExpertChoice = 'second' | 'random' | 'all';

/** By layer: one expert for all rows, or the experts of each row, `[B,R]` row-major. */
export type ExpertCopy = Readonly<Record<string, number | Int32Array>>;

/** How many copies of a model stand for a choice. */
export function countCopies(caller: string, model: MoeModel, layers: readonly string[] | undefined, choice: ExpertChoice): number {
  return choice === 'all' ? choosingLayers(caller, model, layers).reduce((total, { numExperts }) => total + numExperts, 0) : 1;
}

/**
 * Copies of a model with other experts than it chooses: `'all'`, one for each expert of each layer; else one, in every layer with each row's first expert that was not chosen, or with one drawn for it.
 *
 * @param rng - decides by example id.
 */
export function expertCopies(caller: string, model: MoeModel, { inputs, ids }: TrainingBatch, layers: readonly string[] | undefined, choice: ExpertChoice, rng: Rng): readonly ExpertCopy[] {
  const chosen = choosingLayers(caller, model, layers);
  if (choice === 'all') return chosen.flatMap(({ name, numExperts }) => Array.from({ length: numExperts }, (_, expert) => ({ [name]: expert })));
  const scores = readScores(caller, model, inputs, chosen.map(({ name }) => name));
  const copy = chosen.map(({ name, numExperts, topK }, i): readonly [string, Int32Array] => {
    const values = scores[i]!;
    if (choice === 'second') return [name, topKIndices(values, numExperts, topK + 1).filter((_, at) => at % (topK + 1) === topK)];
    const tokens = values.length / numExperts / ids.length;
    return [name, Int32Array.from(Array.from(ids).flatMap((id) => Array.from(rng.stream(name).at(id).integers(tokens, numExperts))))];
  });
  return [Object.fromEntries(copy)];
}

/** Scores of some layers on a batch in evaluation mode, `[T,E]` row-major each. */
function readScores(caller: string, model: MoeModel, inputs: Tensor, layers: readonly string[]): readonly Float32Array[] {
  const { logits, routing, auxLoss } = model.forward(inputs);
  try {
    return routingOf(caller, layers, routing).map(({ gateLogits }) => gateLogits.dataSync() as Float32Array);
  } finally {
    dispose([logits, auxLoss, ...routing.flatMap(({ gateLogits, gates, combineWeights, auxLoss: aux }) => [gateLogits, gates, combineWeights, aux])]);
  }
}

/**
 * What steers a pass over some rows of the batch to the experts of a copy, for `ForwardOptions.experts`; the caller disposes the tensors.
 *
 * @param rows - indices into the batch.
 */
export function steer({ moeLayers }: MoeModel, copy: ExpertCopy, batchSize: number, rows: readonly number[]): Readonly<Record<string, number | Tensor2D>> {
  return Object.fromEntries(
    Object.entries(copy).map(([name, experts]) => {
      if (typeof experts === 'number') return [name, experts];
      const { numExperts } = moeLayers.find((layer) => layer.name === name)!;
      const tokens = experts.length / batchSize;
      const weights = new Float32Array(rows.length * tokens * numExperts);
      rows.forEach((row, i) => {
        for (let token = 0; token < tokens; token++) weights[(i * tokens + token) * numExperts + experts[row * tokens + token]!] = 1;
      });
      return [name, tensor2d(weights, [rows.length * tokens, numExperts])];
    }),
  );
}

/** The copy in evaluation mode, for attacks on any rows of the batch, which it knows by their ids. */
export function copyFn(model: MoeModel, copy: ExpertCopy, ids: Int32Array): LogitsFn {
  return (inputs, draw) =>
    tidy(() => {
      const asked = draw?.exampleIds ?? ids;
      const whole = asked.length === ids.length && ids.every((id, row) => asked[row] === id);
      const rows = Array.from(asked, (id, row) => (whole ? row : ids.indexOf(id)));
      return model.forward(inputs, { experts: steer(model, copy, ids.length, rows) }).logits;
    });
}
