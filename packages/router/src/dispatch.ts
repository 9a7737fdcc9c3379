// Shapes: T tokens (rows), E experts, N = rows that run, W numbers per row.
import { expectArgument, expectKnownKeys, expectOneOf, expectShape } from '@moe/core';
import { type Tensor, type Tensor2D, add, mul, reshape, slice, tidy } from '@tensorflow/tfjs-core';
import { groupRows, joinGroups } from './internal/row-groups.js';
import type { Assignment, ExpertFn, Plan } from './types.js';

export interface DispatchOptions {
  /**
   * `'grouped'` runs each expert once, on its own rows only. `'dense'` runs every expert on every row and lets the weights blot out
   * the rest: E times the work, for reference. @defaultValue 'grouped'
   */
  readonly strategy?: 'grouped' | 'dense';
}

/**
 * Runs the experts that a plan chose and adds up their weighted outputs: `y_t = Σₑ w_te · f_e(x_t)`.
 *
 * @remarks
 * The grouped form copies each expert's rows together, runs each expert that has rows, weights its output, and adds all of them up where
 * they belong; N = T·k rows run in all when nothing is dropped. An expert without rows is not called: it gets no gradient, and its
 * batch norm sees nothing. Differentiable in `rows`, in whatever the experts close over, and in `plan.combineWeights`, also where a
 * straight-through weight is exactly 1. A row without any expert comes out as zeros. No tensor is read back.
 *
 * @param plan    - result of `Router.route`, or its `combineWeights` `[T,E]` and `assignment`.
 * @param rows    - inputs `[T,…]`.
 * @param experts - one function per expert, `[n,…] → [n,…]`; all must agree on the shape of an output row.
 * @returns Outputs `[T,…]`; the caller disposes them.
 * @throws {@link ShapeError} {@link ArgumentError} if sizes disagree, or an expert changes the number of rows.
 *
 * @example
 * const plan = router.route(weights, rows, { training: false });
 * const outputs = dispatch(plan, rows, [relu, tanh]);
 */
export function dispatch(
  plan: Pick<Plan, 'combineWeights' | 'assignment'>,
  rows: Tensor,
  experts: readonly ExpertFn[],
  options: DispatchOptions = {},
): Tensor {
  expectKnownKeys('dispatch', options, ['strategy']);
  const { strategy = 'grouped' } = options;
  const { assignment, combineWeights } = plan;
  const { numTokens, numExperts, tokenOfSlot } = assignment;
  expectOneOf('dispatch', 'strategy', strategy, ['grouped', 'dense']);
  expectArgument('dispatch', 'rows', numTokens >= 1 && rows.shape[0] === numTokens, `have the plan's ${numTokens} rows, at least 1`, rows.shape);
  expectArgument('dispatch', 'experts', experts.length === numExperts, `be the plan's ${numExperts}`, experts.length);
  expectShape('dispatch', { combineWeights }, [numTokens, numExperts]);
  expectArgument('dispatch', 'assignment', tokenOfSlot.length >= 1, 'give at least one row an expert', 'none');
  const everyPair = tokenOfSlot.length === numTokens * numExperts;
  return tidy(() => (strategy === 'dense' || everyPair ? runDense(combineWeights, rows, experts) : runGrouped(combineWeights, assignment, rows, experts)));
}

function runExpert(experts: readonly ExpertFn[], expert: number, rows: Tensor): Tensor {
  const output = experts[expert]!(rows);
  expectArgument('dispatch', `experts[${expert}]`, output.shape[0] === rows.shape[0], `keep its ${rows.shape[0]} rows`, output.shape);
  return output;
}

/** A weight per row, shaped to multiply rows of any rank. */
const asColumn = (weights: Tensor, rank: number): Tensor => reshape(weights, [-1, ...new Array<number>(rank - 1).fill(1)]);

function runDense(combineWeights: Tensor2D, rows: Tensor, experts: readonly ExpertFn[]): Tensor {
  const weighted = experts.map((_, expert) => {
    const output = runExpert(experts, expert, rows);
    return mul(output, asColumn(slice(combineWeights, [0, expert], [-1, 1]), output.rank));
  });
  return weighted.reduce((total, next) => add(total, next));
}

function runGrouped(combineWeights: Tensor2D, assignment: Assignment, rows: Tensor, experts: readonly ExpertFn[]): Tensor {
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
