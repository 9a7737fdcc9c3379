// Shapes: B batch.
import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import type { MoeModel } from '@moe/core';
import type { ObjectiveContext, ObjectiveLoss, TrainingBatch } from '../objectives/objective.js';

/** What a term is computed from. */
export interface TermInputs {
  readonly batch: TrainingBatch;
  /** Inputs that the objective trains on, `[B, …]`. */
  readonly trained: Tensor;
  /** Inputs that the term made for itself, each `[B, …]`. */
  readonly views: readonly Tensor[];
  /** Loss to which the term is added, with the routing on `trained`. */
  readonly loss: ObjectiveLoss;
}

/**
 * A summand for any objective, see {@link withTerms}: an immutable value, pure and without state as an {@link Objective} is.
 */
export interface ObjectiveTerm<Options extends object = object> {
  /** Key in the terms of the loss. */
  readonly name: string;
  /** Every option with its default filled in; plain JSON, compared when a run is resumed. */
  readonly options: Readonly<Options>;
  /** Inputs of its own, such as attacked ones, made before the step is differentiated. */
  readonly views?: {
    count(model: MoeModel): number;
    make(model: MoeModel, batch: TrainingBatch, context: ObjectiveContext): readonly Tensor[];
  };
  /** Weighted, differentiable in the model's weights. */
  loss(model: MoeModel, inputs: TermInputs, context: ObjectiveContext): Scalar;
}
