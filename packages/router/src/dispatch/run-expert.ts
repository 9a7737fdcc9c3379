import { expectArgument } from '@moe/core';
import { type Tensor, reshape } from '@tensorflow/tfjs-core';
import type { ExpertFn } from '../types.js';

export function runExpert(experts: readonly ExpertFn[], expert: number, rows: Tensor): Tensor {
  const output = experts[expert]!(rows);
  expectArgument('dispatch', `experts[${expert}]`, output.shape[0] === rows.shape[0], `keep its ${rows.shape[0]} rows`, output.shape);
  return output;
}

/** A weight per row, shaped to multiply rows of any rank. */
export const asColumn = (weights: Tensor, rank: number): Tensor => reshape(weights, [-1, ...new Array<number>(rank - 1).fill(1)]);
