import { expectArgument, expectInteger, expectKnownKeys } from '@moe/core';
import { type Capacity, type CapacityOptions, capacityJson, resolveCapacity } from '../capacity.js';
import { type Balance, type BalanceOption, balanceJson, resolveBalance } from '../losses/balance-option.js';
import type { GateNetwork } from '../types.js';

/** Options that most routers share. */
export interface RouterOptions {
  /** Number of experts, E. */
  readonly numExperts: number;
  /** Network that scores the experts, e.g. `gapFc()`. */
  readonly gate: GateNetwork;
  /** Balance losses with their weights; a loss alone has weight 1. @defaultValue none */
  readonly balance?: BalanceOption;
}

/** Options of routers that let each token choose. */
export interface TokenChoiceOptions extends RouterOptions {
  /** Experts per token, K ≤ E. */
  readonly topK?: number;
  /** Limit on the rows of an expert; rows beyond it are dropped. @defaultValue no limit */
  readonly capacity?: CapacityOptions;
}

export interface RouterSettings {
  readonly numExperts: number;
  readonly gate: GateNetwork;
  readonly balance: Balance;
  readonly topK: number;
  readonly capacity: Capacity | undefined;
  readonly json: Readonly<Record<string, unknown>>;
}

/** Checks the shared options of `caller`; `own` are the names of its others. */
export function resolveRouterOptions(caller: string, options: TokenChoiceOptions, own: readonly string[], defaultTopK: number): RouterSettings {
  expectKnownKeys(caller, options, ['numExperts', 'gate', 'balance', ...own]);
  const { numExperts, gate, topK = Math.min(defaultTopK, numExperts) } = options;
  expectInteger(caller, 'numExperts', numExperts, 1);
  expectInteger(caller, 'topK', topK, 1, numExperts);
  expectArgument(caller, 'gate', typeof gate?.logits === 'function', 'be a gate network such as gapFc()', gate);
  const balance = resolveBalance(caller, options.balance);
  const capacity = resolveCapacity(caller, options.capacity);
  return {
    numExperts,
    gate,
    balance,
    topK,
    capacity,
    json: { numExperts, ...(own.includes('topK') && { topK }), gate: { name: gate.name, options: gate.options }, ...balanceJson(balance), ...capacityJson(capacity) },
  };
}
