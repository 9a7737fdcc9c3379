import { expectArgument, expectNumber } from '@moe/core';
import type { Router } from '../types.js';
import { lastByChanceRouter } from './last-by-chance-router.js';
import { type TokenChoiceOptions, resolveRouterOptions } from './router-options.js';

export interface StMoeRouterOptions extends TokenChoiceOptions {
  /** Experts per token, at least 2. @defaultValue 2 */
  readonly topK?: number;
  /** Share of the chosen gates from which a token's last expert is certain. @defaultValue 0.2 */
  readonly threshold?: number;
}

/**
 * ST-MoE's router: the K best experts, of which the last is kept in training with probability `min(1, g / threshold)`.
 *
 * @remarks
 * Weights are the chosen gates over their sum; a dropped expert's weight is not made up for. Its losses are `switchLoss` with weight 0.01 and `zLoss` with
 * 0.001; capacity factors 1.25 in training and 2 in evaluation, here only when asked.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2202.08906 | Zoph et al. 2022}, Sec. 3 and App. C.
 *
 * @example
 * const balance = [{ loss: 'switchLoss', weight: 0.01 }, { loss: 'zLoss', weight: 0.001 }] as const;
 * const router = stMoeRouter({ numExperts: 8, gate: gapFc({ bias: false }), balance, capacity: { factor: 1.25 } });
 */
export function stMoeRouter(options: StMoeRouterOptions): Router {
  const settings = resolveRouterOptions('stMoeRouter', options, ['topK', 'capacity', 'threshold'], 2);
  const { threshold = 0.2 } = options;
  const { topK, numExperts } = settings;
  expectNumber('stMoeRouter', 'threshold', threshold, Number.MIN_VALUE, 1);
  expectArgument('stMoeRouter', 'topK', topK >= 2 || numExperts === 1, 'be at least 2', topK, 'A single renormalised gate is always 1, so the router would never learn from the task.');
  return lastByChanceRouter('stMoeRouter', settings, threshold, { ...settings.json, threshold });
}
