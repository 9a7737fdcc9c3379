// Shapes: B batch, M classes.
import type { Scalar, Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import type { MoeModel, Rng, Routing, Weight } from '@moe/core';

/** One batch on the engine; {@link train} owns the tensors. */
export interface TrainingBatch {
  /** Clean inputs `[B, …]`, float32 within the data set's bounds. */
  readonly inputs: Tensor;
  /** True classes `[B]`, int32. */
  readonly labels: Tensor1D;
  /** Identity of each row in its data set, `[B]`. */
  readonly ids: Int32Array;
}

/** Randomness and surroundings of one step. */
export interface ObjectiveContext {
  /** Key of this epoch, for draws that a row's id decides: the same however the examples are batched. Each of several {@link Objective.steps} has its own. */
  readonly exampleRng: Rng;
  /** Key of this step, for draws that concern the batch as a whole, such as router noise. */
  readonly batchRng: Rng;
  /** Epochs finished. */
  readonly epoch: number;
  /** Trainable weights of the model. */
  readonly weights: readonly Weight[];
  /** What {@link ObjectiveStep.carry} returned last, in this batch or an earlier one, also before an interruption; `undefined` where nothing was. */
  readonly carried: Tensor | undefined;
}

/** What {@link ObjectiveStep.loss} returns. */
export interface ObjectiveLoss {
  /** What the optimiser minimises. */
  readonly total: Scalar;
  /** Its summands, weighted, by name; they are recorded, not differentiated. */
  readonly terms: Readonly<Record<string, Scalar>>;
  /** Logits `[B,M]` on the trained inputs, for the accuracy on training batches. */
  readonly logits: Tensor2D;
  /** Routing on the trained inputs, for the share of rows per expert. */
  readonly routing: readonly Routing[];
}

/**
 * One loss that is differentiated, and the update that follows.
 *
 * @remarks
 * All functions are synchronous, dispose nothing they were given, keep no state, and draw only from their context. `train` calls them in the order in which they stand here.
 */
export interface ObjectiveStep {
  /** Inputs to train on `[B, …]`, made before the step is differentiated. @defaultValue the clean inputs */
  perturb?(model: MoeModel, batch: TrainingBatch, context: ObjectiveContext): Tensor;
  /**
   * Other values of weights, by name, at which the loss is differentiated; the gradient then moves the weights from where they were, to which they return bit for bit.
   *
   * @param inputs - what `perturb` returned, or the clean inputs `[B, …]`.
   */
  displace?(model: MoeModel, inputs: Tensor, batch: TrainingBatch, context: ObjectiveContext): Readonly<Record<string, Tensor>>;
  /**
   * Loss of one batch, differentiable in the model's weights.
   *
   * @param inputs - what `perturb` returned, or the clean inputs `[B, …]`.
   */
  loss(model: MoeModel, inputs: Tensor, batch: TrainingBatch, context: ObjectiveContext): ObjectiveLoss;
  /** Which weights the step may move, by name. @defaultValue all that are trainable */
  moves?(weight: string): boolean;
  /** Updates that the optimiser makes of the one gradient, one after the other, as if it had come again. @defaultValue 1 */
  readonly updates?: number;
  /**
   * What the next step finds as {@link ObjectiveContext.carried}; float32 of any shape, part of the checkpoint. With it the loss is also differentiated in its inputs, in the same pass.
   *
   * @param inputs   - those of `loss`.
   * @param gradient - of the loss with respect to `inputs`, same shape.
   */
  carry?(inputs: Tensor, gradient: Tensor, batch: TrainingBatch, context: ObjectiveContext): Tensor;
}

interface Named<Options extends object> {
  readonly name: string;
  /** Every option with its default filled in; plain JSON, compared when a run is resumed. */
  readonly options: Readonly<Options>;
}

/** An {@link Objective} of one loss per batch. */
export interface SingleObjective<Options extends object = object> extends Named<Options>, ObjectiveStep {}

/** An {@link Objective} that differentiates and updates several times per batch, each step on the weights that the one before left. */
export interface SteppedObjective<Options extends object = object> extends Named<Options> {
  readonly steps: readonly ObjectiveStep[];
}

/**
 * What is minimised: an immutable value made by a function such as {@link standard} or {@link pgdAdversarial}.
 *
 * @remarks
 * Recorded of several steps are means: of loss and accuracy over the steps, of each term over those that have it.
 */
export type Objective<Options extends object = object> = SingleObjective<Options> | SteppedObjective<Options>;

/** The steps that an objective takes in each batch; one, itself, where it has a single loss. */
export const objectiveSteps = (objective: Objective): readonly ObjectiveStep[] => ('steps' in objective ? objective.steps : [objective]);
