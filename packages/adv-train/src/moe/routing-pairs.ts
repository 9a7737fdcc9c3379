// Shapes: B batch, T rows of a layer, E experts.
import type { Tensor } from '@tensorflow/tfjs-core';
import { type ForwardOptions, type MoeModel, type Rng, type Routing, expectArgument } from '@moe/core';
import type { ObjectiveContext } from '../objectives/objective.js';

/** Router noise of the training pass; each call starts it anew, so that two passes that are compared draw the same. */
export const forwardRng = ({ batchRng }: ObjectiveContext): Rng => batchRng.stream('forward');

/** A training pass beside the one that counts: it leaves the running statistics alone. */
export const secondPass = (model: MoeModel, inputs: Tensor, context: ObjectiveContext, options: ForwardOptions = {}): ReturnType<MoeModel['forward']> =>
  model.forward(inputs, { training: true, updateStatistics: false, rng: forwardRng(context), ...options });

/** @throws ArgumentError unless all names are of MoE layers, and there is one. */
export function expectLayers(caller: string, { moeLayers }: MoeModel, layers: readonly string[] | undefined): readonly string[] {
  const known = moeLayers.map(({ name }) => name);
  expectArgument(caller, 'model', known.length > 0, 'have MoE layers', 'none');
  for (const name of layers ?? []) expectArgument(caller, 'layers', known.includes(name), `name MoE layers (${known.join(', ')})`, name);
  return layers ?? known;
}

/** The routing of each layer in one pass. */
export function routingOf(caller: string, layers: readonly string[], routing: readonly Routing[]): readonly Routing[] {
  return layers.map((layer) => {
    const found = routing.find((entry) => entry.layer === layer);
    expectArgument(caller, 'model', found !== undefined, `tell the routing of '${layer}'`, routing.map((entry) => entry.layer));
    return found;
  });
}
