import { expectArgument, expectInteger, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { type Balance, type BalanceOption, balanceJson, resolveBalance } from '../losses/balance-option.js';
import { expectOnHost } from '../plans/expect-context.js';
import { expectRng } from '../plans/noise.js';
import type { GateNetwork, RouteContext } from '../types.js';

/** What the weights of the chosen experts are, when not straight-through. */
export type GateNormalisation = 'exact' | 'released' | 'none';

export interface TopKRouterOptions {
  /** Number of experts, E. */
  readonly numExperts: number;
  /** Experts per row, K ≤ E. @defaultValue 1 */
  readonly topK?: number;
  /** Network that scores the experts, e.g. `gapFc()`. */
  readonly gate: GateNetwork;
  /** Balance losses with their weights; a loss alone has weight 1. *Robust Experts* uses one with 0.5 for ResNet-18. @defaultValue none */
  readonly balance?: BalanceOption;
  /** Weight exactly 1 with a straight-through gradient; only for K = 1. @defaultValue `topK === 1` */
  readonly straightThrough?: boolean;
  /**
   * Without straight-through: `'exact'` divides the chosen gates by their sum; `'released'` by their sum + 1e-5, as the code of *Robust Experts*
   * does; `'none'` leaves them as they are, as in the Switch Transformer. @defaultValue 'exact'
   */
  readonly normalise?: GateNormalisation;
  /** Standard deviation of the noise on the standardised gates while training; *Robust Experts* uses 0.1, except with the entropy loss. @defaultValue 0 */
  readonly noiseStd?: number;
  /** While training, each expert takes at most `ceil(K · T / E · capacityFactor)` rows, and the rest are reassigned. @defaultValue no limit */
  readonly capacityFactor?: number;
}

/** Options with defaults filled in, and the JSON that makes them again. */
export interface TopKSettings {
  readonly numExperts: number;
  readonly topK: number;
  readonly gate: GateNetwork;
  readonly balance: Balance;
  readonly straightThrough: boolean;
  readonly normalise: GateNormalisation;
  readonly noiseStd: number;
  readonly capacityFactor: number;
  readonly json: Readonly<Record<string, unknown>>;
}

const KNOWN = ['numExperts', 'topK', 'gate', 'balance', 'straightThrough', 'normalise', 'noiseStd', 'capacityFactor'];

export function resolveTopKOptions(options: TopKRouterOptions): TopKSettings {
  expectKnownKeys('topKRouter', options, KNOWN);
  const { numExperts, topK = 1, gate, noiseStd = 0, capacityFactor = Infinity, normalise = 'exact' } = options;
  expectInteger('topKRouter', 'numExperts', numExperts, 1);
  expectInteger('topKRouter', 'topK', topK, 1, numExperts);
  expectArgument('topKRouter', 'gate', typeof gate?.logits === 'function', 'be a gate network such as gapFc()', gate);
  expectNumber('topKRouter', 'noiseStd', noiseStd, 0);
  expectArgument('topKRouter', 'capacityFactor', capacityFactor > 0, 'be a number > 0', capacityFactor);
  expectOneOf('topKRouter', 'normalise', normalise, ['exact', 'released', 'none']);
  const { straightThrough = topK === 1 } = options;
  expectArgument('topKRouter', 'straightThrough', !straightThrough || topK === 1, 'be false for topK > 1', straightThrough, 'The chosen gates carry the gradient there.');
  expectArgument(
    'topKRouter',
    'normalise',
    topK > 1 || straightThrough || normalise === 'none',
    "be 'none' for topK = 1 without straightThrough",
    normalise,
    'A single renormalised gate is always 1, so the router would never learn from the task.',
  );
  const balance = resolveBalance('topKRouter', options.balance);
  return {
    numExperts,
    topK,
    gate,
    balance,
    straightThrough,
    normalise,
    noiseStd,
    capacityFactor,
    json: {
      numExperts,
      topK,
      gate: { name: gate.name, options: gate.options },
      ...balanceJson(balance),
      straightThrough,
      normalise,
      noiseStd,
      ...(capacityFactor < Infinity && { capacityFactor }),
    },
  };
}

/** Refuses a context that lacks what noise and capacity need. */
export function expectContext({ noiseStd, capacityFactor }: TopKSettings, context: RouteContext): void {
  expectRng('topKRouter', context, noiseStd > 0);
  if (context.training && (noiseStd > 0 || capacityFactor < Infinity)) expectOnHost('topKRouter', context, 'noise and capacity decide');
}
