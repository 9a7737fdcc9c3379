import { type Tensor, type TensorContainerObject, div, tidy } from '@tensorflow/tfjs-core';
import { ArgumentError, type Compile, type Routing } from '@moe/core';
import type { RouterWeights } from '../moe/router-weights.js';
import { type LossOutputs, type LossParts, type LossTensors, type PassContext, differentiate } from './differentiate.js';
import { routerShares } from './router-shares.js';
import { type Accumulated, type UpdateOutputs, type UpdateParts, type UpdateTensors, addGradients, moveWeights, squaresOf } from './update.js';

/** Tensors that one pass takes. */
export interface PassInputs extends LossTensors {
  /** Where gradients of several batches make one update. */
  readonly accumulated?: Accumulated;
  /** Missing where the weights are not to be moved yet. */
  readonly update?: UpdateTensors;
}

/** Tensors that one pass makes. */
interface PassOutputs extends LossOutputs {
  /** Sums of gradients over examples, where the weights are not moved yet. */
  readonly sums?: Readonly<Record<string, Tensor>>;
  readonly update?: UpdateOutputs;
  /** See {@link routerShares}. */
  readonly routers: readonly Tensor[];
}

/** From a batch to gradients, or to new values of weights and slots; nothing is assigned but running statistics. */
export type Pass = (tensors: PassInputs, context: PassContext) => PassOutputs & { readonly routing: readonly Routing[] };

/** @throws ArgumentError if a model with routed layers is to be compiled: what is told of them are no tensors. */
export function createPass(parts: LossParts & UpdateParts, compile: Compile | undefined, isRouter: RouterWeights): Pass {
  const layers = parts.model.moeLayers.map(({ name }) => name);
  // The compiled function is one for all steps, hence what is no tensor reaches it, and leaves it, like this.
  let present: PassContext | undefined;
  let routing: readonly Routing[] = [];

  const pass = ({ accumulated, update, ...tensors }: PassInputs): PassOutputs => {
    const { gradients, routing: seen, ...loss } = differentiate(parts, tensors, present!);
    const squares = squaresOf(gradients);
    const made = { ...loss, routers: routerShares(layers, squares, isRouter) };
    routing = seen;
    if (compile !== undefined && routing.length > 0) throw new ArgumentError(`train: compile must be left out for a model with routed layers, got ${routing.length} of them.`);
    const sums = accumulated && addGradients(accumulated.sums, gradients, tensors.labels.size);
    if (update === undefined) return { ...made, ...(sums && { sums }) };
    const means = sums && Object.fromEntries(Object.entries(sums).map(([name, total]) => [name, div(total, accumulated.rows)]));
    return { ...made, update: moveWeights(parts, means ?? gradients, means ? squaresOf(means) : squares, update) };
  };

  const run = compile?.(pass) ?? pass;
  return (tensors, context) => {
    [present, routing] = [context, []];
    const made = tidy(() => run(tensors) as PassOutputs & TensorContainerObject);
    return { ...made, routing };
  };
}
