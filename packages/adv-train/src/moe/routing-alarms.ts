import { expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import type { RoutingFinding, RoutingRecord } from '../history.js';

/** When `train` raises an alarm about routing, at the end of an epoch. */
export interface RoutingAlarms {
  /** Share of a router in the norm of the gradient, at most in an epoch, up to which it counts as frozen. @defaultValue 1e-6 */
  readonly frozenBelow?: number;
  /** Least entropy of a layer's load, as a share of that of even use. @defaultValue 0.1 */
  readonly minEntropy?: number;
  /** Least share of the rows, over the share of even use, with which an expert counts as alive. @defaultValue 0.04, which is 1 % of the rows for one of 4 experts */
  readonly aliveAbove?: number;
  /** Least number of living experts. @defaultValue 2 */
  readonly minLiving?: number;
}

export function expectAlarms(options: RoutingAlarms): Required<RoutingAlarms> {
  expectKnownKeys('train', options, ['frozenBelow', 'minEntropy', 'aliveAbove', 'minLiving']);
  const { frozenBelow = 1e-6, minEntropy = 0.1, aliveAbove = 0.04, minLiving = 2 } = options;
  expectNumber('train', 'alarms.frozenBelow', frozenBelow, 0);
  expectNumber('train', 'alarms.minEntropy', minEntropy, 0, 1);
  expectNumber('train', 'alarms.aliveAbove', aliveAbove, 0, 1);
  expectInteger('train', 'alarms.minLiving', minLiving, 0);
  return { frozenBelow, minEntropy, aliveAbove, minLiving };
}

/**
 * What is wrong with the routing of an epoch.
 *
 * @remarks
 * A router is frozen where no gradient of the loss reached it: one that is not trained, one behind a bare argmax as in the code released with RT-ER, or a single weight that is renormalised to 1. A
 * layer has collapsed where its load lacks entropy, or too few of its experts are alive; its mean gates may still look even.
 */
export function routingFindings(routing: readonly RoutingRecord[], asked: RoutingAlarms = {}): readonly RoutingFinding[] {
  const { frozenBelow, minEntropy, aliveAbove, minLiving } = expectAlarms(asked);
  return routing.flatMap(({ layer, usage, routerGradient, loadEntropy: entropy }): RoutingFinding[] => {
    if (usage.length < 2) return [];
    const even = usage.reduce((total, share) => total + share, 0) / usage.length;
    const living = usage.filter((share) => share > aliveAbove * even).length;
    return [
      ...(routerGradient <= frozenBelow ? [{ kind: 'frozen-router', layer, routerGradient } as const] : []),
      ...(entropy < minEntropy || living < Math.min(minLiving, usage.length) ? [{ kind: 'routing-collapse', layer, loadEntropy: entropy, livingExperts: living } as const] : []),
    ];
  });
}
