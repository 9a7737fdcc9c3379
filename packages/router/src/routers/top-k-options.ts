import { expectArgument, expectInteger, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import type { BalanceLoss } from '../losses/balance-loss.js';
import { type BalanceLossName, balanceLosses } from '../losses/registry.js';
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
  /** Balance loss with its weight; a loss alone has weight 1. *Robust Experts* uses 0.5 for ResNet-18. @defaultValue none */
  readonly balance?: BalanceLossName | BalanceLoss | { readonly loss: BalanceLossName | BalanceLoss; readonly weight: number };
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
  readonly balance: { readonly loss: BalanceLoss; readonly weight: number } | undefined;
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
  const balance = resolveBalance(options.balance);
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
      ...(balance !== undefined && { balance: { loss: nameOf(balance.loss), weight: balance.weight } }),
      straightThrough,
      normalise,
      noiseStd,
      ...(capacityFactor < Infinity && { capacityFactor }),
    },
  };
}

function resolveBalance(balance: TopKRouterOptions['balance']): TopKSettings['balance'] {
  if (balance === undefined) return undefined;
  const { loss, weight } = typeof balance === 'object' ? balance : { loss: balance, weight: 1 };
  if (typeof balance === 'object') expectKnownKeys('topKRouter.balance', balance, ['loss', 'weight']);
  expectNumber('topKRouter', 'balance.weight', weight, 0);
  if (typeof loss === 'function') return { loss, weight };
  expectOneOf('topKRouter', 'balance.loss', loss, Object.keys(balanceLosses) as BalanceLossName[]);
  return { loss: balanceLosses[loss], weight };
}

/** Registered name, which survives minification; a caller's own loss goes by its function name. */
function nameOf(loss: BalanceLoss): string {
  return Object.entries(balanceLosses).find(([, known]) => known === loss)?.[0] ?? loss.name;
}

/** Checks what a caller asks of one `route`; returns how many experts each row gets. */
export function expectContext({ numExperts, topK, noiseStd }: TopKSettings, { training, rng, allowed, gate = 'hard' }: RouteContext): number {
  expectArgument('topKRouter', 'context.rng', !training || noiseStd === 0 || rng !== undefined, 'be given, because noise is on in training', rng);
  if (gate !== 'hard') expectArgument('topKRouter', 'context.gate.temperature', gate.temperature > 0 && gate.temperature < Infinity, 'be a finite number > 0', gate.temperature);
  if (allowed === undefined) return topK;
  expectArgument('topKRouter', 'context.allowed', allowed.length === numExperts, `have one entry per expert, ${numExperts}`, allowed.length);
  const open = allowed.filter(Boolean).length;
  expectArgument('topKRouter', 'context.allowed', open >= 1, 'allow at least one expert', allowed);
  return Math.min(topK, open);
}
