// Shapes: T tokens, E experts, K choices per token.
import { type Rng, expectArgument, expectInteger, expectOneOf } from '@moe/core';
import { type Tensor2D, mul, zeros } from '@tensorflow/tfjs-core';
import { maskOfChoices } from '../losses/balance-option.js';
import type { Plan, RouteContext, Router } from '../types.js';
import { buildPlan } from './build-plan.js';
import { expectGateContext, expectOnHost } from './expect-context.js';

/** What a fixed map looks at: a row's place in its example, the identity of its example, or its place in the batch. */
export type MapKey = 'position' | 'example' | 'row';

/** Options of routers without a gate. */
export interface FixedMapOptions {
  /** Number of experts, E. */
  readonly numExperts: number;
  /** Experts per row, K, each with weight 1/K. @defaultValue 1 */
  readonly topK?: number;
  /**
   * `'position'`: a row's place in its example, as tokens of a text are hashed by their place or images by their patch. `'example'`: the identity of the example, from
   * `context.exampleIds`, and the place in it. `'row'`: the place in the batch. Only the first two keep examples apart.
   */
  readonly by: MapKey;
}

export function resolveFixedMap(caller: string, { numExperts, topK = 1, by }: FixedMapOptions): Required<FixedMapOptions> {
  expectInteger(caller, 'numExperts', numExperts, 1);
  expectInteger(caller, 'topK', topK, 1, numExperts);
  expectOneOf(caller, 'by', by, ['position', 'example', 'row']);
  return { numExperts, topK, by };
}

/** Numbers that tell the rows apart, as many for each of `numTokens` rows as the key has. */
export function keysOf(caller: string, by: MapKey, numTokens: number, { rowsPerExample = 1, exampleIds }: RouteContext): (readonly number[])[] {
  if (by === 'example') {
    expectArgument(caller, 'context.exampleIds', exampleIds?.length === numTokens / rowsPerExample, `hold the id of each of the ${numTokens / rowsPerExample} examples`, exampleIds?.length);
  }
  return Array.from({ length: numTokens }, (_, row) => {
    const position = row % rowsPerExample;
    if (by === 'row') return [row];
    return by === 'position' ? [position] : [exampleIds![Math.floor(row / rowsPerExample)]!, position];
  });
}

/** K different experts out of those allowed, drawn for each key. */
export function drawExperts(rng: Rng, keys: readonly (readonly number[])[], open: readonly number[], topK: number): Int32Array {
  return Int32Array.from(keys.flatMap((key) => Array.from(rng.at(...key).permutation(open.length).subarray(0, topK), (i) => open[i]!)));
}

/** Router without weights whose experts depend on nothing learned; `choose` maps a batch of so many rows. */
export function fixedRouter(
  name: string,
  map: Required<FixedMapOptions>,
  options: Router['options'],
  choose: (numTokens: number, context: RouteContext) => (open: readonly number[], topK: number) => Int32Array,
): Router {
  return {
    name,
    options,
    numExperts: map.numExperts,
    topK: map.topK,
    batchInvariant: map.by !== 'row',
    continuous: true,
    gradientPath: 'none',
    init: () => ({}),
    route: (_, inputs, context) => fixedPlan(name, map, choose(inputs.shape[0]!, context), context),
  };
}

/** Plan of rows that go to experts which depend on nothing learned, with weight 1/K each; no gate, no gradient. */
function fixedPlan(
  caller: string,
  { numExperts, topK }: Required<FixedMapOptions>,
  choose: (open: readonly number[], topK: number) => Int32Array,
  context: RouteContext,
): Plan {
  expectOnHost(caller, context, 'rows are mapped');
  const choices = Math.min(topK, expectGateContext(caller, numExperts, context));
  const open = Array.from({ length: numExperts }, (_, expert) => expert).filter((expert) => context.allowed?.[expert] !== false);
  return buildPlan(() => {
    const mask = maskOfChoices(choose(open, choices), choices, numExperts);
    const gates = mul(mask, 1 / choices) as Tensor2D;
    return { gateLogits: zeros(mask.shape), gates, combineWeights: gates, chosen: mask.dataSync(), relaxable: false };
  }, context);
}
