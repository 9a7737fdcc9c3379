import { type Scalar, type Tensor1D, addN, divNoNan, scalar, sqrt, stack } from '@tensorflow/tfjs-core';
import type { RouterWeights } from '../moe/router-weights.js';

/**
 * L2 norm of the gradient in the router of each layer over that of the gradient of all weights, in [0, 1]; 0 where no gradient reaches it. To be called within `tidy`.
 *
 * @remarks
 * The weights of a layer are those whose names begin with its own.
 *
 * @param squares - squared L2 norm of each gradient, by the name of the weight.
 * @returns `[layers]`; one tensor, or none without layers.
 */
export function routerShares(layers: readonly string[], squares: Readonly<Record<string, Scalar>>, isRouter: RouterWeights): readonly Tensor1D[] {
  if (layers.length === 0) return [];
  const total = addN([scalar(0), ...Object.values(squares)]);
  const shares = layers.map((layer) => sqrt(divNoNan(addN([scalar(0), ...Object.entries(squares).flatMap(([weight, value]) => (isRouter(weight) && weight.startsWith(`${layer}/`) ? [value] : []))]), total)));
  return [stack(shares) as Tensor1D];
}
