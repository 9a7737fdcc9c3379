// Shapes: T tokens (rows), E experts.
import { type Tensor, type Tensor2D, add, mul, slice } from '@tensorflow/tfjs-core';
import type { ExpertFn } from '../types.js';
import { asColumn, runExpert } from './run-expert.js';

/** Runs every expert on every row and weights the outputs. */
export function runDense(combineWeights: Tensor2D, rows: Tensor, experts: readonly ExpertFn[]): Tensor {
  const weighted = experts.map((_, expert) => {
    const output = runExpert(experts, expert, rows);
    return mul(output, asColumn(slice(combineWeights, [0, expert], [-1, 1]), output.rank));
  });
  return weighted.reduce((total, next) => add(total, next));
}
