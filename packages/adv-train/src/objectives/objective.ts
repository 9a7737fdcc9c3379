// Shapes: B batch, M classes.
import type { Scalar, Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import type { MoeModel, Rng, Routing } from '@moe/core';

/** One batch on the engine; {@link train} owns the tensors. */
export interface TrainingBatch {
  /** Clean inputs `[B, …]`, float32 within the data set's bounds. */
  readonly inputs: Tensor;
  /** True classes `[B]`, int32. */
  readonly labels: Tensor1D;
  /** Identity of each row in its data set, `[B]`. */
  readonly ids: Int32Array;
}

/** Randomness of one step. */
export interface ObjectiveContext {
  /** Key of this epoch, for draws that a row's id decides: the same however the examples are batched. */
  readonly exampleRng: Rng;
  /** Key of this step, for draws that concern the batch as a whole, such as router noise. */
  readonly batchRng: Rng;
}

/** What {@link Objective.loss} returns. */
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
 * What is minimised: an immutable value made by a function such as {@link standard} or {@link pgdAdversarial}.
 *
 * @remarks
 * Both functions are synchronous, dispose nothing they were given, keep no state, and draw only from their context.
 */
export interface Objective<Options extends object = object> {
  readonly name: string;
  /** Every option with its default filled in; plain JSON, compared when a run is resumed. */
  readonly options: Readonly<Options>;
  /** Inputs to train on `[B, …]`, made before the step is differentiated. @defaultValue the clean inputs */
  perturb?(model: MoeModel, batch: TrainingBatch, context: ObjectiveContext): Tensor;
  /**
   * Loss of one batch, differentiable in the model's weights.
   *
   * @param inputs - what `perturb` returned, or the clean inputs `[B, …]`.
   */
  loss(model: MoeModel, inputs: Tensor, batch: TrainingBatch, context: ObjectiveContext): ObjectiveLoss;
}
