import { type Scalar, type Tensor, type Tensor1D, addN, divNoNan, scalar, sqrt, square, stack, sum } from '@tensorflow/tfjs-core';

/** Whether a weight belongs to the router of an MoE layer, both by name. */
export type RouterOf = (weight: string, layer: string) => boolean;

/** As `@moe/layers` names them: `layer/router/…`. */
export const namedRouter: RouterOf = (weight, layer) => weight === `${layer}/router` || weight.startsWith(`${layer}/router/`);

/**
 * L2 norm of the gradient in the router of each layer over that of the gradient of all weights, in [0, 1]; 0 where no gradient reaches it. To be called within `tidy`.
 *
 * @returns `[layers]`; one tensor, or none without layers.
 */
export function routerShares(layers: readonly string[], gradients: Readonly<Record<string, Tensor>>, routerOf: RouterOf): readonly Tensor1D[] {
  if (layers.length === 0) return [];
  const squares = Object.entries(gradients).map(([weight, gradient]) => [weight, sum(square(gradient)) as Scalar] as const);
  const total = addN([scalar(0), ...squares.map(([, value]) => value)]);
  const shares = layers.map((layer) => sqrt(divNoNan(addN([scalar(0), ...squares.flatMap(([weight, value]) => (routerOf(weight, layer) ? [value] : []))]), total)));
  return [stack(shares) as Tensor1D];
}
