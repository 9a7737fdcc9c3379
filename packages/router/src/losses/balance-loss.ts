// Shapes: T tokens, E experts.
import type { Scalar, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';

export interface BalanceLossOptions {
  /** Tokens that count, `[T]`, 1 or 0. @defaultValue all */
  readonly mask?: Tensor1D;
  /** Router scores before the softmax, `[T,E]`, for losses on scores. */
  readonly logits?: Tensor2D;
  /** Weights of the chosen experts, `[T,E]`, for losses on what was really sent. */
  readonly combineWeights?: Tensor2D;
}

/**
 * Scores how unevenly a router uses its experts; smaller is better.
 *
 * @param gates      - softmaxed router scores `[T,E]`.
 * @param assignment - one-hot of each token's first choice `[T,E]`; no gradient flows through it.
 * @returns Scalar; the caller disposes it.
 */
export type BalanceLoss = (gates: Tensor2D, assignment: Tensor2D, options?: BalanceLossOptions) => Scalar;
