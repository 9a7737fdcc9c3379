// Shapes: T tokens (rows), E experts, N = rows that run, W numbers per row.
import { expectShape } from '@moe/core';
import { type Tensor, type Tensor2D, mul, reshape, slice } from '@tensorflow/tfjs-core';
import type { Assignment, ExpertFn } from '../types.js';
import { concatGroups, groupRows, joinLists, placeRows } from './row-groups.js';
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
  const outputs = inputs.map((input, i) => runExpert(experts, busy[i]!.expert, reshape(input, [input.shape[0], ...rows.shape.slice(1)])));
  const outputShape = outputs[0]!.shape.slice(1);
  expectShape('dispatch', Object.fromEntries(outputs.map((output, i) => [`output of expert ${busy[i]!.expert}`, output])), ['*', ...outputShape]);

  // One product for all groups: with many experts the number of operations costs more than the arithmetic.
  const pairs = joinLists(busy.map(({ expert, tokens }) => tokens.map((token) => token * numExperts + expert)));
  const weights = groupRows(reshape(combineWeights, [numTokens * numExperts, 1]) as Tensor2D, [pairs])[0]!;
  const slots = concatGroups(outputs.map((output) => reshape(output, [output.shape[0]!, -1])));
  return reshape(placeRows(mul(slots, weights), joinLists(groups), numTokens), [numTokens, ...outputShape]);
}
