// Shapes: T tokens, E experts, C rows of an expert in a group.
import { expectArgument, expectNumber, expectOneOf } from '@moe/core';
import { mul, softmax, tensor2d } from '@tensorflow/tfjs-core';
import { capacityOf } from '../capacity.js';
import { largestOfColumns } from '../internal/largest-of-columns.js';
import { expectFiniteGates } from '../plans/expect-context.js';
import { gatedRouter } from '../plans/gated-router.js';
import type { Router } from '../types.js';
import { type RouterOptions, resolveRouterOptions } from './router-options.js';

export interface ExpertChoiceRouterOptions extends RouterOptions {
  /** Rows that each expert takes, as a multiple of its even share: the mean number of experts of a row. @defaultValue 1 */
  readonly capacityFactor?: number;
  /** Among which rows an expert chooses: all of the batch, or those of each example, which keeps examples apart. @defaultValue 'batch' */
  readonly within?: 'batch' | 'example';
}

/**
 * Expert choice: each expert takes the rows with the largest gates for it, so every expert is exactly full and a row has 0 to E experts.
 *
 * @remarks
 * `s = softmax(z)` over experts; expert e takes the `⌈n · capacityFactor / E⌉` rows of largest `s_te` among the n of a group, with weight `s_te`. Balanced by
 * construction, without a loss. `within: 'batch'` makes a row's experts depend on the other rows of the batch, in evaluation too, which an
 * attacker can use (arXiv 2402.05526); `'example'` chooses among the `rowsPerExample` rows of each example. `topK` is the capacity factor, rounded up.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2202.09368 | Zhou et al. 2022}
 *
 * @example
 * const router = expertChoiceRouter({ numExperts: 8, gate: gapFc({ bias: false }), capacityFactor: 2, within: 'example' });
 */
export function expertChoiceRouter(options: ExpertChoiceRouterOptions): Router {
  const { json, ...settings } = resolveRouterOptions('expertChoiceRouter', options, ['capacityFactor', 'within'], 1);
  const { capacityFactor = 1, within = 'batch' } = options;
  const { numExperts } = settings;
  expectNumber('expertChoiceRouter', 'capacityFactor', capacityFactor, Number.MIN_VALUE, numExperts);
  expectOneOf('expertChoiceRouter', 'within', within, ['batch', 'example']);
  const topK = Math.ceil(capacityFactor);
  const facts = { ...settings, name: 'expertChoiceRouter', options: { ...json, capacityFactor, within }, topK, batchInvariant: within === 'example', continuous: capacityFactor === numExperts, onHost: 'experts choose' };
  return gatedRouter(facts, ({ logits, context }) => {
    const gates = softmax(logits);
    const values = gates.dataSync();
    expectFiniteGates('expertChoiceRouter', values, numExperts);
    const [numTokens] = logits.shape;
    const groupSize = within === 'batch' ? numTokens : (context.rowsPerExample ?? 1);
    expectArgument('expertChoiceRouter', 'context.rowsPerExample', numTokens % groupSize === 0, `divide the ${numTokens} rows`, groupSize);
    const count = Math.min(groupSize, capacityOf(groupSize, numExperts, { factor: capacityFactor }));
    const chosen = largestOfColumns(values, numExperts, { groupSize, count, ...context });
    return { gates, combineWeights: mul(gates, tensor2d(chosen, logits.shape)), chosen };
  });
}
