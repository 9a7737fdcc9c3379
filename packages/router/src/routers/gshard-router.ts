import type { Router } from '../types.js';
import { lastByChanceRouter } from './last-by-chance-router.js';
import { type TokenChoiceOptions, resolveRouterOptions } from './router-options.js';

/** Options of {@link gshardRouter}; K is always 2. */
export type GshardRouterOptions = Omit<TokenChoiceOptions, 'topK'>;

/**
 * GShard's router: the best two experts, of which the second is kept with a probability that grows with its gate.
 *
 * @remarks
 * `s = softmax(z)`; the two largest gates over their sum are the weights g₁ and g₂, and in training the second expert is used with probability
 * min(1, 2 g₂), so that weak second choices do not fill the experts. A dropped expert's weight is not made up for. Its balance loss is
 * `switchLoss`; capacity 2 T/E in the source, which FastMoE takes as factors 1.2 and 2.4; here only when asked.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2006.16668 | Lepikhin et al. 2020}, Alg. 1.
 *
 * @example
 * const router = gshardRouter({ numExperts: 8, gate: gapFc({ bias: false }), balance: 'switchLoss', capacity: { factor: 1.2 } });
 */
export function gshardRouter(options: GshardRouterOptions): Router {
  const settings = resolveRouterOptions('gshardRouter', options, ['capacity'], 2);
  return lastByChanceRouter('gshardRouter', settings, 0.5, settings.json);
}
