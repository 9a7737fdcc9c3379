import type { BalanceLoss } from './balance-loss.js';
import { columnEntropyLoss, entropyLoss } from './entropy-loss.js';
import { centredSwitchLoss, switchLoss } from './switch-loss.js';
import { varianceLoss } from './variance-loss.js';

/** The balance losses of this package by name, as they appear in the JSON of a router. */
export const balanceLosses = { centredSwitchLoss, columnEntropyLoss, entropyLoss, switchLoss, varianceLoss } as const satisfies Record<string, BalanceLoss>;

/** Name of a balance loss of this package. */
export type BalanceLossName = keyof typeof balanceLosses;
