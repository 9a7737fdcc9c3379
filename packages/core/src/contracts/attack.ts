import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import type { Rng } from '../rng/rng.js';
import type { LogitsFn } from './model.js';

/** Norm of a perturbation, in RobustBench's spelling. */
export type Norm = 'Linf' | 'L2' | 'L1';

/** What an attack may see of a model: input gradients, logits, or only the predicted class. */
export type AttackAccess = 'gradient' | 'score' | 'decision';

/** What an attack receives besides model, inputs and labels. */
export interface AttackContext {
  /** Stream of this run; an attack derives every draw from it, the attack's name, the example id and the step. */
  readonly rng: Rng;
  /** Identity of each row in its data set, so that its draws do not depend on the batch. @defaultValue 0 … B-1 */
  readonly exampleIds?: ArrayLike<number>;
  /** Draws of a randomised model's noise of which every loss and gradient is the mean, and every verdict the majority. @defaultValue 1 */
  readonly draws?: number;
  /** Called after each step with the mean loss over the rows still attacked. */
  readonly onStep?: (progress: { readonly step: number; readonly steps: number; readonly meanLoss: number }) => void;
  readonly signal?: AbortSignal;
}

/** Outcome of {@link Attack.perturb}; the caller disposes the tensors. */
export interface Perturbation {
  /** Inputs of the attacked batch, within the attack's ball and bounds. Rows that were wrong from the start are returned unchanged. */
  readonly adversarial: Tensor;
  /** 1 where the attack reached its goal: the model's prediction on `adversarial` differs from the label, or is the class that the attack aimed at; `[B]` int32. */
  readonly success: Tensor1D;
  /** Loss that the attack maximised, at `adversarial`, `[B]` float32. */
  readonly loss: Tensor1D;
}

/**
 * An attack is an immutable value made by a function such as `pgd({ … })`.
 *
 * @remarks
 * `perturb` is synchronous, so that a training loop can call it. It disposes nothing that it was given and returns tensors the caller owns.
 */
export interface Attack<Options extends object = object> {
  readonly name: string;
  /** Every option with its default filled in; plain JSON, recorded with results. */
  readonly options: Readonly<Options>;
  readonly access: AttackAccess;
  /**
   * @param model  - logits function, `[B, …] → [B,M]`.
   * @param inputs - clean inputs `[B, …]`, float32 within bounds.
   * @param labels - true classes `[B]`, int32.
   */
  perturb(model: LogitsFn, inputs: Tensor, labels: Tensor1D, context: AttackContext): Perturbation;
}
