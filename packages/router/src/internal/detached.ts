import { type Tensor, customGrad, tidy, zeros } from '@tensorflow/tfjs-core';

/**
 * A function of `x` that no gradient passes, and of which none is asked: its operations need not have gradients, as top-k has none.
 *
 * @returns The value; the caller disposes it.
 */
export function detached<T extends Tensor>(x: Tensor, f: (x: Tensor) => T): T {
  return customGrad((input) => ({ value: tidy(() => f(input as Tensor)), gradFunc: () => zeros(x.shape) }))(x) as T;
}
