// Shapes: T tokens (rows), E experts, N = rows that run, W numbers per row.
import { expectShape } from '@moe/core';
import { type Tensor, type Tensor2D, concat, mul, reshape, slice, split } from '@tensorflow/tfjs-core';
import type { Assignment, ExpertFn } from '../types.js';
import { pickRows, placeRows } from './row-groups.js';
import { asColumn, runExpert } from './run-expert.js';

/** Copies each expert's rows together, runs each expert that has rows, and adds the weighted outputs up where they belong. */
export function runGrouped(combineWeights: Tensor2D, assignment: Assignment, rows: Tensor, experts: readonly ExpertFn[]): Tensor {
  const { numTokens, numExperts, tokenOfSlot, expertOffsets } = assignment;
  const busy = experts.flatMap((_, expert) => {
    const first = expertOffsets[expert]!;
    const tokens = tokenOfSlot.subarray(first, expertOffsets[expert + 1]);
    return tokens.length === 0 ? [] : [{ expert, tokens, first }];
  });
  const only = busy[0]!;
  if (busy.length === 1 && only.tokens.length === numTokens) {
    // All rows go to one expert, in their own order: nothing has to move.
    const output = runExpert(experts, only.expert, rows);
    return mul(output, asColumn(slice(combineWeights, [0, only.expert], [-1, 1]), output.rank));
  }

  // Rank 2 where rows are copied by index: engines copy whole rows there, and crawl through higher ranks. One move for all groups: with many experts the number of operations
  // costs more than the arithmetic, and TensorFlow splits and the gradient joins without a move per group.
  const sizes = busy.map(({ tokens }) => tokens.length);
  const picked = pickRows(reshape(rows, [numTokens, -1]) as Tensor2D, tokenOfSlot);
  const groups = split(reshape(picked, [tokenOfSlot.length, ...rows.shape.slice(1)]), sizes);
  const outputs = groups.map((group, i) => runExpert(experts, busy[i]!.expert, group));
  const outputShape = outputs[0]!.shape.slice(1);
  expectShape('dispatch', Object.fromEntries(outputs.map((output, i) => [`output of expert ${busy[i]!.expert}`, output])), ['*', ...outputShape]);

  const pairs = new Int32Array(tokenOfSlot.length);
  for (const { expert, tokens, first } of busy) tokens.forEach((token, i) => (pairs[first + i] = token * numExperts + expert));
  const weights = pickRows(reshape(combineWeights, [numTokens * numExperts, 1]) as Tensor2D, pairs);
  const slots = reshape(concat(outputs, 0), [tokenOfSlot.length, -1]) as Tensor2D;
  return reshape(placeRows(mul(slots, weights), tokenOfSlot, numTokens), [numTokens, ...outputShape]);
}
