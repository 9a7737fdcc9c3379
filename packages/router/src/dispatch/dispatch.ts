// Shapes: T tokens (rows), E experts.
import { expectArgument, expectInteger, expectKnownKeys, expectOneOf, expectShape } from '@moe/core';
import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { DevicePlan, ExpertFn, SoftPlan, SparsePlan } from '../types.js';
import { runDense } from './dense.js';
import { slotsOf } from './one-hot-slots.js';
import { runGrouped } from './grouped.js';
import { runSoft } from './soft.js';
import { runStatic } from './static.js';

export interface DispatchOptions {
  /**
   * `'grouped'` runs each expert once, on its own rows only. `'static'` runs each on a buffer of `capacity` rows, without a read from the device and with
   * shapes that depend on no value. `'einsum'` is the same as one-hot matrix products, and `'dense'` runs every expert on every row: two
   * references, E times the work. @defaultValue 'grouped' where the plan lives on the host, else 'static'
   */
  readonly strategy?: 'grouped' | 'static' | 'einsum' | 'dense';
  /** Rows of each expert's buffer, for `'static'` and `'einsum'`; rows beyond it are lost. @defaultValue T, which is exact */
  readonly capacity?: number;
}

/** What {@link dispatch} needs of a plan. */
export type Dispatchable = Pick<SparsePlan, 'combineWeights' | 'assignment'> | Pick<DevicePlan, 'combineWeights'> | Pick<SoftPlan, 'combineWeights' | 'slots'>;

/**
 * Runs the experts that a plan chose and adds up their weighted outputs: `y_t = Σₑ w_te · f_e(x_t)`.
 *
 * @remarks
 * The grouped form copies each expert's rows together, runs each expert that has rows, weights its output, and adds all of them up where
 * they belong; N = T·k rows run in all when nothing is dropped. An expert without rows is not called: it gets no gradient, and its
 * batch norm sees nothing. Differentiable in `rows`, in whatever the experts close over, and in `plan.combineWeights`, also where a
 * straight-through weight is exactly 1. A row without any expert comes out as zeros. No tensor is read back. A soft plan runs each expert on
 * its slots, whatever the strategy.
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
export function dispatch(plan: Dispatchable, rows: Tensor, experts: readonly ExpertFn[], options: DispatchOptions = {}): Tensor {
  expectKnownKeys('dispatch', options, ['strategy', 'capacity']);
  const assignment = 'assignment' in plan ? plan.assignment : undefined;
  const { combineWeights } = plan;
  const { T, E } = expectShape('dispatch', { combineWeights }, ['T', 'E']);
  const { strategy = assignment === undefined ? 'static' : 'grouped', capacity = T } = options;
  expectOneOf('dispatch', 'strategy', strategy, ['grouped', 'static', 'einsum', 'dense']);
  expectArgument('dispatch', 'rows', T >= 1 && rows.shape[0] === T, `have the plan's ${T} rows, at least 1`, rows.shape);
  expectArgument('dispatch', 'experts', experts.length === E, `be the plan's ${E}`, experts.length);
  if ('slots' in plan) return tidy(() => runSoft(plan.slots, rows, experts));
  if (strategy === 'grouped') {
    expectArgument('dispatch', 'strategy', assignment !== undefined, "be 'static' for a plan that was made on the device", strategy);
    expectArgument('dispatch', 'assignment', assignment.numTokens === T && assignment.numExperts === E, `be of ${T} rows and ${E} experts`, [assignment.numTokens, assignment.numExperts]);
    expectArgument('dispatch', 'assignment', assignment.tokenOfSlot.length >= 1, 'give at least one row an expert', 'none');
    const everyPair = assignment.tokenOfSlot.length === T * E;
    return tidy(() => (everyPair ? runDense(combineWeights, rows, experts) : runGrouped(combineWeights, assignment, rows, experts)));
  }
  if (strategy === 'dense') return tidy(() => runDense(combineWeights, rows, experts));
  expectInteger('dispatch', 'capacity', capacity, 1, T);
  return tidy(() => (strategy === 'static' ? runStatic(combineWeights, capacity, rows, experts) : runSoft(slotsOf(combineWeights, capacity), rows, experts)));
}
