// Shapes: B batch, M classes.
import '../gradients.js';
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, clone, engine, keep, zerosLike } from '@tensorflow/tfjs-core';
import { type MoeModel, type Routing, type Weight, expectArgument } from '@moe/core';
import type { ObjectiveContext, ObjectiveLoss, ObjectiveStep } from '../objectives/objective.js';
import { freeingTape } from './freeing-tape.js';

/** Whose loss is differentiated in what. */
export interface LossParts {
  readonly model: MoeModel;
  /** Trainable weights that the step may move. */
  readonly weights: readonly Weight[];
  readonly step: ObjectiveStep;
}

/** Tensors that a loss takes. */
export interface LossTensors {
  /** `[B, …]` */
  readonly trained: Tensor;
  /** `[B, …]` */
  readonly inputs: Tensor;
  /** `[B]` int32. */
  readonly labels: Tensor1D;
  /** What the step before handed over: one tensor or none. */
  readonly carried: readonly Tensor[];
}

/** Tensors that come of a loss. */
export interface LossOutputs {
  readonly total: Scalar;
  readonly terms: Readonly<Record<string, Scalar>>;
  /** `[B,M]` */
  readonly logits: Tensor2D;
  /** What the next step gets: one tensor or none. */
  readonly carried: readonly Tensor[];
}

/** What a pass needs besides tensors. */
export interface PassContext extends Omit<ObjectiveContext, 'carried'> {
  readonly ids: Int32Array;
  /** Told of every tensor that outlives the pass, even if it fails. */
  readonly own: (tensor: Tensor) => void;
}

interface Differentiated extends LossOutputs {
  /** By name, of the weights that the loss reached. */
  readonly gradients: Readonly<Record<string, Tensor>>;
  readonly routing: readonly Routing[];
}

const tensorsOf = ({ total, terms, logits, routing }: ObjectiveLoss): Tensor[] => [
  total,
  ...Object.values(terms),
  logits,
  ...routing.flatMap(({ gateLogits, gates, combineWeights, auxLoss }) => [gateLogits, gates, combineWeights, auxLoss]),
];

/** One batch, from inputs to gradients; nothing is assigned but running statistics. To be called within `tidy`. */
export function differentiate({ model, weights, step }: LossParts, { trained, inputs, labels, carried }: LossTensors, { own, ids, ...surroundings }: PassContext): Differentiated {
  const batch = { inputs, labels, ids };
  const context: ObjectiveContext = { ...surroundings, carried: carried[0] };
  let loss: ObjectiveLoss | undefined;
  const forward = (): Scalar => {
    loss = step.loss(model, trained, batch, context);
    // Everything that is read after the tape is gone.
    for (const kept of tensorsOf(loss)) own(keep(kept));
    return loss.total;
  };
  const expectReached = (any: boolean) => expectArgument('train', 'objective', any, 'have a loss that depends on a weight that it moves', 'none');
  expectReached(weights.length > 0);
  const sources = [...weights.map(({ variable }): Tensor => variable), ...(step.carry ? [trained] : [])];
  // Not variableGrads: it has no gradient of the inputs. Undefined where the loss does not reach, e.g. for unused experts.
  const grads: readonly (Tensor | undefined)[] = freeingTape(() => engine().gradients(forward, sources, undefined, true)).grads;
  const { total, terms, logits, routing } = loss!;
  const reached = weights.flatMap(({ name }, i) => (grads[i] ? [[name, grads[i]] as const] : []));
  expectReached(reached.length > 0);
  const next = step.carry?.(trained, grads[weights.length] ?? zerosLike(trained), batch, context);
  return { total, terms, logits, routing, gradients: Object.fromEntries(reached), carried: next ? [clone(next)] : [] };
}
