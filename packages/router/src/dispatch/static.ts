// Shapes: T tokens (rows), E experts, C slots of each expert (its capacity), W numbers per row.
import { gatherRows, scatterAddRows } from '@moe/core';
import { type Tensor, type Tensor1D, type Tensor2D, add, cast, concat, expandDims, greaterEqual, minimum, mul, notEqual, range, reshape, scalar, slice, sub, topk, transpose } from '@tensorflow/tfjs-core';
import { detached } from '../internal/detached.js';
import type { ExpertFn } from '../types.js';
import { asColumn, runExpert } from './run-expert.js';

/**
 * Runs every expert on a buffer of C rows, filled with the first C rows whose weight for it is not 0; nothing is read back, and no shape depends on a value.
 *
 * @remarks
 * Exact when no expert has more than C rows; what exceeds it adds nothing to the output. Slots that stay empty hold copies of other rows, and weight 0.
 */
export function runStatic(combineWeights: Tensor2D, capacity: number, rows: Tensor, experts: readonly ExpertFn[]): Tensor {
  const [numTokens = 0, ...rowShape] = rows.shape;
  const slots = fillSlots(combineWeights, capacity);
  const outputs = experts.map((_, expert) => {
    const { tokens, filled } = slots[expert]!;
    const inputs = reshape(gatherRows(reshape(rows, [numTokens, -1]), tokens), [capacity, ...rowShape]);
    const output = runExpert(experts, expert, inputs);
    const pairs = add(mul(tokens, scalar(experts.length, 'int32')), scalar(expert, 'int32')) as Tensor1D;
    const weights = mul(gatherRows(reshape(combineWeights, [-1, 1]), pairs), expandDims(filled, 1));
    return mul(output, asColumn(weights, output.rank));
  });
  return scatterAddRows(concat(outputs, 0), concat(slots.map(({ tokens }) => tokens)) as Tensor1D, numTokens);
}

/** For each expert the rows of its slots, `[C]` int32, and 1 where a slot holds a row of its own, `[C]`. */
function fillSlots(combineWeights: Tensor2D, capacity: number): { tokens: Tensor1D; filled: Tensor1D }[] {
  const [numTokens, numExperts] = combineWeights.shape;
  const order = detached(combineWeights, (weights) => {
    // Earlier rows get larger numbers, and rows of other experts 0, so that the C largest are the first C rows, in order.
    const rank = reshape(sub(numTokens, range(0, numTokens, 1, 'float32')), [numTokens, 1]);
    return topk(transpose(mul(cast(notEqual(weights, 0), 'float32'), rank)), capacity).values;
  });
  const filled = detached(order, (ranks) => cast(greaterEqual(ranks, 1), 'float32'));
  const tokens = detached(order, (ranks) => cast(minimum(sub(numTokens, ranks), numTokens - 1), 'int32'));
  return Array.from({ length: numExperts }, (_, expert) => ({ tokens: rowOf(tokens, expert, capacity), filled: rowOf(filled, expert, capacity) }));
}

const rowOf = (x: Tensor, row: number, width: number): Tensor1D => reshape(slice(x, [row, 0], [1, width]), [width]);
