import { expectArgument } from '@moe/core';
import type { BalanceLoss } from './balance-loss.js';
import { choicesLoss } from './choices-loss.js';
import { columnEntropyLoss, entropyLoss } from './entropy-loss.js';
import { importanceKlLoss } from './importance-kl-loss.js';
import { importanceLoss } from './importance-loss.js';
import { sparseImportanceLoss } from './sparse-importance-loss.js';
import { centredSwitchLoss, switchLoss } from './switch-loss.js';
import { varianceLoss } from './variance-loss.js';
import { expertVariationLoss, tokenVarianceLoss } from './weight-spread-losses.js';
import { zLoss } from './z-loss.js';

function zBalance(...[, , { logits, mask } = {}]: Parameters<BalanceLoss>): ReturnType<BalanceLoss> {
  expectArgument('zLoss', 'options.logits', logits !== undefined, 'hold the router scores', logits);
  return zLoss(logits, mask === undefined ? {} : { mask });
}

/** The balance losses of this package by name, as they appear in the JSON of a router. */
export const balanceLosses = {
  centredSwitchLoss,
  choicesLoss,
  columnEntropyLoss,
  entropyLoss,
  expertVariationLoss,
  importanceKlLoss,
  importanceLoss,
  sparseImportanceLoss,
  switchLoss,
  tokenVarianceLoss,
  varianceLoss,
  zLoss: zBalance,
} as const satisfies Record<string, BalanceLoss>;

/** Name of a balance loss of this package. */
export type BalanceLossName = keyof typeof balanceLosses;
