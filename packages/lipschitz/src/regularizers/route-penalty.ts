// Shapes: T rows, D features, E experts.
import { type Scalar, type Tensor2D, add, div, expandDims, mean, min, mul, relu, sqrt, square, sub, sum, tidy, transpose } from '@tensorflow/tfjs-core';
import { expectInteger, expectKnownKeys, expectNumber, expectShape, topKMask } from '@moe/core';

/** Options of {@link routePenalty}. */
export interface RoutePenaltyOptions {
  /** L2 radius within which no route should change, in units of the router's input. */
  readonly radius: number;
  /** Experts chosen for a row, fewer than there are. @defaultValue 1 */
  readonly topK?: number;
}

/** Farther than any pair that counts. */
const NONE = 1e9;

/**
 * How much of a radius the routes of an affine top-k router lack: `mean_t max(0, radius − min_(i chosen, j not) (z_i − z_j) / ‖w_i − w_j‖)`.
 *
 * @remarks
 * The inner minimum is what {@link routeRadius} certifies in L2 without a box. A lead alone grows when scores are scaled and certifies nothing; divided by the slope it does not. The gradient flows
 * into scores and kernel, none through the choice.
 *
 * @param gateLogits - `[T,E]`, `x W + b`.
 * @param kernel     - W `[D,E]`, which made them.
 * @returns Scalar ≥ 0, differentiable; the caller disposes it.
 * @throws {@link ShapeError} {@link ArgumentError} if shapes disagree or an option breaks its rule.
 *
 * @example
 * const loss = add(crossEntropy, mul(routePenalty(gateLogits, kernel, { radius: 0.5 }), 0.1));
 */
export function routePenalty(gateLogits: Tensor2D, kernel: Tensor2D, options: RoutePenaltyOptions): Scalar {
  const caller = 'routePenalty';
  expectKnownKeys(caller, options, ['radius', 'topK']);
  const { radius, topK = 1 } = options;
  expectNumber(caller, 'radius', radius, 0);
  const { E } = expectShape(caller, { gateLogits }, ['T', 'E']);
  expectShape(caller, { kernel }, ['D', 'E'], { E });
  expectInteger(caller, 'topK', topK, 1, E - 1);
  return tidy(() => {
    const chosen = topKMask(gateLogits, topK);
    const experts = transpose(kernel);
    // The root of a sum of 0, between an expert and itself, has no slope.
    const slopes = sqrt(add(sum(square(sub(expandDims(experts, 1), expandDims(experts, 0))), 2), 1e-12));
    const radii = div(sub(expandDims(gateLogits, 2), expandDims(gateLogits, 1)), slopes);
    const counts = mul(expandDims(chosen, 2), sub(1, expandDims(chosen, 1)));
    return mean(relu(sub(radius, min(add(radii, mul(sub(1, counts), NONE)), [1, 2])))) as Scalar;
  });
}
