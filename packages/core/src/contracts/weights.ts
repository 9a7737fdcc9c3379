import type { Variable } from '@tensorflow/tfjs-core';

/** One named weight of a model, for optimisers and checkpoints. */
export interface Weight {
  /** Unique within the model, stable across runs. */
  readonly name: string;
  readonly variable: Variable;
  /** False for running statistics and frozen weights, which are saved but never updated by an optimiser. */
  readonly trainable: boolean;
}
