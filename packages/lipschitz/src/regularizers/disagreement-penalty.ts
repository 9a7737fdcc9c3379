// Shapes: B batch, M outputs, E experts.
import { type Scalar, type Tensor, type Tensor2D, div, expandDims, mean, mul, square, stack, sub, sum, tidy } from '@tensorflow/tfjs-core';
import { ShapeError, expectArgument, expectShape } from '@moe/core';

/**
 * How far the experts of a mixture disagree about a batch: the variance of their outputs under the gates, `mean_b Σ_e p_be ‖f_e(x_b) − f̄(x_b)‖²`.
 *
 * @remarks
 * The router's share of a softmax mixture's slope is at most the roots of this variance and that of the scores multiplied, and {@link softmaxMixtureBound} pays for the largest disagreement; experts
 * that agree make any router harmless. It also makes them alike, so give it a small weight.
 *
 * @param outputs - of every expert on the same inputs, `[B,M]` each.
 * @param gates   - how much each counts, `[B,E]`, rows that sum to 1. @defaultValue all alike
 * @returns Scalar ≥ 0, differentiable in outputs and gates; the caller disposes it.
 * @throws {@link ShapeError} if shapes disagree; {@link ArgumentError} if there is no expert.
 *
 * @example
 * const loss = add(crossEntropy, mul(disagreementPenalty(experts.map((expert) => expert(x)), gates), 0.1));
 */
export function disagreementPenalty(outputs: readonly Tensor2D[], gates?: Tensor2D): Scalar {
  const caller = 'disagreementPenalty';
  expectArgument(caller, 'outputs', outputs.length > 0, 'have at least one expert', outputs.length);
  const { B } = expectShape(caller, Object.fromEntries(outputs.map((output, e) => [`outputs[${e}]`, output])), ['B', 'M']);
  if (gates !== undefined && (gates.shape[0] !== B || gates.shape[1] !== outputs.length)) throw new ShapeError(`${caller}: gates must have shape [${B},${outputs.length}], got [${gates.shape.join(',')}].`);
  return tidy(() => {
    const all = stack([...outputs], 1);
    const weighted = (x: Tensor): Tensor => (gates === undefined ? div(sum(x, 1), outputs.length) : sum(mul(x, expandDims(gates, 2)), 1));
    return mean(sum(weighted(square(sub(all, expandDims(weighted(all), 1)))), 1)) as Scalar;
  });
}
