import '../gradients.js';
import { type Tensor, clone, customGrad, zerosLike } from '@tensorflow/tfjs-core';
import { expectShape } from '../checks.js';

/**
 * The value of `hard` with the gradient of `soft`.
 *
 * @remarks
 * Straight-through estimator: forward `hard`, backward the identity into `soft` and zero into `hard`.
 * Differs from the common `soft + stopGradient(hard - soft)` in that the value is `hard` exactly, without rounding.
 *
 * @param hard - values used in the forward pass, e.g. a one-hot choice.
 * @param soft - tensor of the same shape that receives the gradient.
 * @returns A tensor equal to `hard`; the caller disposes it.
 * @throws {@link ShapeError} if the shapes differ.
 * @see {@link https://arxiv.org/abs/1308.3432 | Bengio et al. 2013}
 */
export function straightThrough<T extends Tensor>(hard: T, soft: T): T {
  expectShape('straightThrough', { soft }, hard.shape);
  return customGrad((h) => ({
    value: clone(h as Tensor),
    gradFunc: (dy) => [zerosLike(dy as Tensor), clone(dy as Tensor)],
  }))(hard, soft) as T;
}
