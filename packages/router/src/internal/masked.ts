// Shapes: T tokens, E experts.
import { expectShape } from '@moe/core';
import { type Scalar, type Tensor1D, type Tensor2D, div, expandDims, maximum, mean, mul, reshape, sum, tidy } from '@tensorflow/tfjs-core';

/** Checks the arguments that all balance losses share, before any tensor work. */
export function expectLossShapes(caller: string, gates: Tensor2D, assignment: Tensor2D, mask: Tensor1D | undefined): { T: number; E: number } {
  const sizes = expectShape(caller, { gates, assignment }, ['T', 'E']);
  if (mask !== undefined) expectShape(caller, { mask }, ['T'], sizes);
  return sizes;
}

/** Mean over the tokens that count, `[T,E] → [E]`; zeros if none does. */
export function maskedMean(x: Tensor2D, mask: Tensor1D | undefined): Tensor1D {
  if (mask === undefined) return mean(x, 0);
  return tidy(() => div(sum(mul(x, expandDims(mask, 1)), 0), countOf(mask)));
}

/** How many tokens count, at least 1. */
export function countOf(mask: Tensor1D): Scalar {
  return tidy(() => reshape(maximum(sum(mask), 1), []));
}

/** Mean over the tokens that count, `[T] → []`; 0 if none does. */
export function meanOfTokens(x: Tensor1D, mask: Tensor1D | undefined): Scalar {
  return tidy(() => (mask === undefined ? mean(x) : div(sum(mul(x, mask)), countOf(mask))));
}
