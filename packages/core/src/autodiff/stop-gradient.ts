import '../gradients.js';
import { type Tensor, clone, customGrad, zerosLike } from '@tensorflow/tfjs-core';

/**
 * The same values, through which no gradient flows.
 *
 * @param x - any tensor.
 * @returns A tensor equal to `x`; the caller disposes it.
 *
 * @example
 * const target = stopGradient(softmax(logits));
 */
export function stopGradient<T extends Tensor>(x: T): T {
  return customGrad((input) => ({ value: clone(input as Tensor), gradFunc: (dy) => zerosLike(dy as Tensor) }))(x) as T;
}
