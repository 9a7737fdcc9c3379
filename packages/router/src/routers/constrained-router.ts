// Shapes: T tokens, E experts.
import { type ExpertMask, expectArgument, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { type Tensor, type Tensor1D, add, mul, scalar, sub, tidy, zeros } from '@tensorflow/tfjs-core';
import { maskedMean } from '../internal/masked.js';
import { expectGateContext, expectOnHost } from '../plans/expect-context.js';
import { maskTensor } from '../plans/noise.js';
import type { Plan, Router } from '../types.js';

export interface ConstrainedRouterOptions {
  /** The router that decides among the experts left open. */
  readonly router: Router;
  /** What is limited: `'relative'` the running sum of the relative excess, `'mean'` the running average of the excess. */
  readonly importance: 'relative' | 'mean';
  /** Excess beyond which an expert is closed for a training pass, > 0. @defaultValue 0.5 for `'relative'`, 0.3 for `'mean'` */
  readonly threshold?: number;
}

/**
 * A hard constraint on the use of experts while training: an expert with too much importance so far is closed until the others have caught up.
 *
 * @remarks
 * Importance I_e is the sum of the combine weights of a pass, T̂ the tokens that count. `'relative'`: `R_e ← R_e + (I_e - T̂/E)/(T̂/E)`, closed where `R_e > τ`; the R_e sum to
 * 0, so some expert is always open. `'mean'`: M_e is the average of `I_e/T̂` over all passes, closed where `M_e - 1/E > τ`. State: `importance` `[E]` and `passes`, in
 * `plan.updates`. Evaluation is that of the inner router. No balance loss is needed.
 *
 * @returns A router with the weights of the inner one and the state.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2204.10598 | Pavlitska et al. 2023}, hard constraints.
 *
 * @example
 * const router = constrainedRouter({ router: topKRouter({ numExperts: 4, topK: 2, gate: gapFc() }), importance: 'relative' });
 */
export function constrainedRouter(options: ConstrainedRouterOptions): Router {
  expectKnownKeys('constrainedRouter', options, ['router', 'importance', 'threshold']);
  const { router, importance: kind } = options;
  expectArgument('constrainedRouter', 'router', typeof router?.route === 'function', 'be a router', router);
  expectOneOf('constrainedRouter', 'importance', kind, ['relative', 'mean']);
  const { threshold = kind === 'relative' ? 0.5 : 0.3 } = options;
  expectNumber('constrainedRouter', 'threshold', threshold, Number.MIN_VALUE);
  const { numExperts, topK, batchInvariant, continuous, gradientPath } = router;
  return {
    name: 'constrainedRouter',
    options: { router: { name: router.name, options: router.options }, importance: kind, threshold },
    numExperts,
    topK,
    batchInvariant,
    continuous,
    gradientPath,
    init: (inputShape, rng) => ({ ...router.init(inputShape, rng), importance: { value: zeros([numExperts]), trainable: false }, passes: { value: scalar(0), trainable: false } }),
    route({ importance, passes, ...weights }, inputs, context) {
      if (!context.training) return router.route(weights, inputs, context);
      expectOnHost('constrainedRouter', context, 'experts are closed');
      expectGateContext('constrainedRouter', numExperts, context);
      expectArgument('constrainedRouter', 'weights', importance !== undefined && passes !== undefined, 'hold importance and passes', importance && 'importance only');
      const plan = router.route(weights, inputs, { ...context, allowed: openExperts(importance.dataSync(), context.allowed) });
      return { ...plan, updates: { ...plan.updates, ...tidy(() => ({ importance: next(plan, importance, passes), passes: add(passes, 1) })) } };

      function next({ combineWeights }: Plan, before: Tensor, count: Tensor): Tensor1D {
        const share = maskedMean(combineWeights, maskTensor(context).mask);
        if (kind === 'relative') return add(before, sub(mul(share, numExperts), 1));
        return add(before, mul(sub(share, before), 1 / (count.dataSync()[0]! + 1)));
      }
    },
  };

  /** The experts that have not had too much; all that are allowed, if none of these is left. */
  function openExperts(importance: ArrayLike<number>, allowed: ExpertMask | undefined): ExpertMask {
    const inner = Array.from({ length: numExperts }, (_, expert) => allowed?.[expert] !== false);
    const excess = (expert: number): number => (kind === 'relative' ? importance[expert]! : importance[expert]! - 1 / numExperts);
    const open = inner.map((is, expert) => is && !(excess(expert) > threshold));
    return open.some(Boolean) ? open : inner;
  }
}
