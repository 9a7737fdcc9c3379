import { expectArgument, expectInteger, expectKnownKeys, expectOneOf } from '@moe/core';
import { type VectorInput, readVector } from '../internal/arrays.js';
import { roundUp } from '../internal/rounding.js';
import { type SoundDisagreement, readOutputs } from './disagreement.js';
import { expectDisagreement } from './softmax-mixture.js';

/** What the gates of the chosen experts are divided by: their sum, or nothing. */
export type GateNormalisation = 'chosen' | 'none';

/** Options of {@link routeJump}. */
export interface RouteJumpOptions {
  /** Scores where the routes meet, `[E]`. */
  readonly gateLogits: VectorInput;
  /** Output of every expert there, `[E][M]`. */
  readonly outputs: readonly VectorInput[];
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly normalise: GateNormalisation;
}

/**
 * How far the output of a softmax top-k layer jumps when its route changes.
 *
 * @remarks
 * The mixture over `to` less that over `from`, at one input. Where expert j leaves and m enters at equal scores it is `q (f_m − f_j)`, q their common weight.
 *
 * @returns The jump, `[M]`.
 *
 * @example
 * routeJump({ gateLogits: [2, 1, 1], outputs, from: [0, 1], to: [0, 2], normalise: 'chosen' });
 */
export function routeJump(options: RouteJumpOptions): Float64Array {
  const caller = 'routeJump';
  expectKnownKeys(caller, options, ['gateLogits', 'outputs', 'from', 'to', 'normalise']);
  const { from, to, normalise } = options;
  expectOneOf(caller, 'normalise', normalise, ['chosen', 'none']);
  const gateLogits = readVector(caller, 'gateLogits', options.gateLogits);
  const outputs = readOutputs(caller, options.outputs, gateLogits.length);
  for (const [name, route] of [['from', from], ['to', to]] as const) {
    expectArgument(caller, name, route.length > 0 && new Set(route).size === route.length, 'be different experts', route);
    for (const expert of route) expectInteger(caller, name, expert, 0, gateLogits.length - 1);
  }
  const largest = Math.max(...gateLogits);
  const exponentials = gateLogits.map((logit) => Math.exp(logit - largest));
  const mixture = (route: readonly number[]): Float64Array => {
    const weights = route.map((e) => exponentials[e]!);
    const total = (normalise === 'chosen' ? weights : Array.from(exponentials)).reduce((sum, weight) => sum + weight, 0);
    return outputs[0]!.map((_, m) => route.reduce((sum, e, at) => sum + (weights[at]! / total) * outputs[e]![m]!, 0));
  };
  const before = mixture(from);
  return mixture(to).map((value, m) => value - before[m]!);
}

/**
 * The longest jump that a softmax top-k layer can make where one expert takes the place of another.
 *
 * @remarks
 * At the tie k + 1 experts have at least the weight of the two: D_f / k with renormalised gates, D_f / (k + 1) without. A line crosses at most E − 1 boundaries of a linear top-1
 * router, so outputs differ by at most `L ‖x − y‖` plus E − 1 jumps.
 *
 * @returns In the norm of the disagreement, on its domain.
 */
export function jumpBound(disagreement: SoundDisagreement, options: { readonly topK: number; readonly normalise: GateNormalisation }): SoundDisagreement {
  const caller = 'jumpBound';
  expectKnownKeys(caller, options, ['topK', 'normalise']);
  const { topK, normalise } = options;
  expectDisagreement(caller, disagreement, disagreement.norm);
  expectInteger(caller, 'topK', topK, 1);
  expectOneOf(caller, 'normalise', normalise, ['chosen', 'none']);
  return { ...disagreement, value: roundUp(disagreement.value / (normalise === 'chosen' ? topK : topK + 1), 1), status: 'upper', method: `jump of ${disagreement.method}` };
}
