// Shapes: T tokens (rows), E experts, N = rows that run, W numbers per row.
import { expectShape } from '@moe/core';
import { type Tensor, type Tensor2D, mul, reshape, slice } from '@tensorflow/tfjs-core';
import type { Assignment, ExpertFn } from '../types.js';
import { groupRows, joinGroups } from './row-groups.js';
import { asColumn, runExpert } from './run-expert.js';

/** Copies each expert's rows together, runs each expert that has rows, and adds the weighted outputs up where they belong. */
export function runGrouped(combineWeights: Tensor2D, assignment: Assignment, rows: Tensor, experts: readonly ExpertFn[]): Tensor {
  const { numTokens, numExperts, tokenOfSlot, expertOffsets } = assignment;
  const busy = experts.flatMap((_, expert) => {
    const tokens = tokenOfSlot.subarray(expertOffsets[expert], expertOffsets[expert + 1]);
    return tokens.length === 0 ? [] : [{ expert, tokens }];
  });
  const only = busy[0]!;
  if (busy.length === 1 && only.tokens.length === numTokens) {
    // All rows go to one expert, in their own order: nothing has to move.
    const output = runExpert(experts, only.expert, rows);
    return mul(output, asColumn(slice(combineWeights, [0, only.expert], [-1, 1]), output.rank));
  }

  // Rank 2 on every move: engines copy whole rows there, and crawl through higher ranks.
  const groups = busy.map(({ tokens }) => tokens);
  const inputs = groupRows(reshape(rows, [numTokens, -1]) as Tensor2D, groups);
  const weights = groupRows(reshape(combineWeights, [numTokens * numExperts, 1]) as Tensor2D, busy.map(({ expert, tokens }) => tokens.map((token) => token * numExperts + expert)));
  const outputs = inputs.map((input, i) => runExpert(experts, busy[i]!.expert, reshape(input, [input.shape[0], ...rows.shape.slice(1)])));
  const outputShape = outputs[0]!.shape.slice(1);
  expectShape('dispatch', Object.fromEntries(outputs.map((output, i) => [`output of expert ${busy[i]!.expert}`, output])), ['*', ...outputShape]);

  const weighted = outputs.map((output, i) => mul(reshape(output, [output.shape[0]!, -1]), weights[i]!) as Tensor2D);
  return reshape(joinGroups(weighted, groups, numTokens), [numTokens, ...outputShape]);
}
