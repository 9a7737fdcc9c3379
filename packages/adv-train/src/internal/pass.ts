// Shapes: B batch, M classes.
import '../gradients.js';
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, type TensorContainerObject, type Variable, keep, tidy, variableGrads } from '@tensorflow/tfjs-core';
import { ArgumentError, type Compile, type MoeModel, type Routing, type Weight } from '@moe/core';
import type { Objective, ObjectiveContext, ObjectiveLoss } from '../objectives/objective.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { type RouterOf, routerShares } from './router-shares.js';

/** What every step of a run shares. */
export interface StepParts {
  readonly model: MoeModel;
  /** Trainable weights only. */
  readonly weights: readonly Weight[];
  readonly objective: Objective;
  readonly optimizer: Optimizer;
}

/** Tensors that one pass takes; those of the optimiser by the name of the weight. */
export interface PassInputs {
  /** `[B, …]` */
  readonly trained: Tensor;
  /** `[B, …]` */
  readonly inputs: Tensor;
  /** `[B]` int32. */
  readonly labels: Tensor1D;
  readonly slots: Readonly<Record<string, readonly Tensor[]>>;
  readonly rates: Readonly<Record<string, readonly Scalar[]>>;
}

/** Tensors that one pass makes. */
interface PassOutputs {
  readonly total: Scalar;
  readonly terms: Readonly<Record<string, Scalar>>;
  /** `[B,M]` */
  readonly logits: Tensor2D;
  /** New values, of the weights that the loss reached. */
  readonly weights: Readonly<Record<string, Tensor>>;
  readonly slots: Readonly<Record<string, readonly Tensor[]>>;
  /** See {@link routerShares}. */
  readonly routers: readonly Tensor[];
}

/** What a pass needs besides tensors. */
interface PassContext extends ObjectiveContext {
  readonly ids: Int32Array;
  /** Told of every tensor that outlives the pass, even if it fails. */
  readonly own: (tensor: Tensor) => void;
}

/** From a batch to the new values of weights and slots; nothing is assigned but running statistics. */
export type Pass = (tensors: PassInputs, context: PassContext) => PassOutputs & { readonly routing: readonly Routing[] };

const tensorsOf = ({ total, terms, logits, routing }: ObjectiveLoss): Tensor[] => [
  total,
  ...Object.values(terms),
  logits,
  ...routing.flatMap(({ gateLogits, gates, combineWeights, auxLoss }) => [gateLogits, gates, combineWeights, auxLoss]),
];

/** @throws ArgumentError if a model with routed layers is to be compiled: what is told of them are no tensors. */
export function createPass({ model, weights, objective, optimizer }: StepParts, compile: Compile | undefined, routerOf: RouterOf): Pass {
  const layers = model.moeLayers.map(({ name }) => name);
  const variables = weights.map(({ variable }) => variable as Variable);
  // The compiled function is one for all steps, hence what is no tensor reaches it, and leaves it, like this.
  let present: PassContext | undefined;
  let routing: readonly Routing[] = [];

  const pass = ({ trained, inputs, labels, slots, rates }: PassInputs): PassOutputs => {
    const { ids, own, ...randomness } = present!;
    let loss: ObjectiveLoss | undefined;
    const { grads } = variableGrads(() => {
      loss = objective.loss(model, trained, { inputs, labels, ids }, randomness);
      // Everything that is read after the tape is gone.
      for (const kept of tensorsOf(loss)) own(keep(kept));
      return loss.total;
    }, variables);
    ({ routing } = loss!);
    if (compile !== undefined && routing.length > 0) throw new ArgumentError(`train: compile must be left out for a model with routed layers, got ${routing.length} of them.`);
    // The others, such as those of unused experts, stay as they are.
    const reached = weights.filter(({ variable }) => grads[variable.name] !== undefined);
    const updates = reached.map(({ name, variable }) => [name, optimizer.update(variable, grads[variable.name]!, slots[name] ?? [], rates[name] ?? [])] as const);
    return {
      total: loss!.total,
      terms: loss!.terms,
      logits: loss!.logits,
      weights: Object.fromEntries(updates.map(([name, { weight }]) => [name, weight])),
      slots: Object.fromEntries(updates.map(([name, update]) => [name, [...update.slots]])),
      routers: routerShares(layers, Object.fromEntries(reached.map(({ name, variable }) => [name, grads[variable.name]!])), routerOf),
    };
  };

  const run = compile?.(pass) ?? pass;
  return (tensors, context) => {
    [present, routing] = [context, []];
    const made = tidy(() => run(tensors) as PassOutputs & TensorContainerObject);
    return { ...made, routing };
  };
}
