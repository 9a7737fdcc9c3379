import {
  type BalanceLoss,
  type GateNetwork,
  type Router,
  centredSwitchLoss,
  columnEntropyLoss,
  constrainedRouter,
  convFc,
  convGap,
  doubleConvGap,
  entropyLoss,
  equalGate,
  firstChannelsGate,
  fixedRandomGate,
  gapFc,
  importanceKlLoss,
  noisyTopKRouter,
  sparseImportanceLoss,
  topKRouter,
  varianceLoss,
} from '@moe/router';
import type { Config, GATES, Loss } from './schema.js';

type MoeConfig = Config['moe'];

/** Balance losses of *Robust Experts*, Sec. 3, and of its predecessor, by the second half of a model's name. */
const BALANCE: Readonly<Record<Exclude<Loss, 'none'>, BalanceLoss>> = {
  switch: centredSwitchLoss,
  entropy: entropyLoss,
  'column-entropy': columnEntropyLoss,
  variance: varianceLoss,
  importance: sparseImportanceLoss,
  kl: importanceKlLoss,
};

/** Losses under which the paper's router has no noise while training (its released code, TopKGate). */
const NOISELESS: readonly Loss[] = ['entropy'];

const GATE: Readonly<Record<(typeof GATES)[number], (numExperts: number) => GateNetwork>> = {
  'gap-fc': () => gapFc(),
  'conv-gap': () => convGap({ kernel: 3 }),
  'conv-gap-1': () => convGap({ kernel: 1 }),
  'double-conv-gap': () => doubleConvGap({ kernel: 1 }),
  'fixed-random': () => fixedRandomGate(),
  'first-channels': (numExperts) => firstChannelsGate({ numExperts }),
  equal: (numExperts) => equalGate({ numExperts }),
  'conv-fc': () => convFc(),
};

/** The router of a model's MoE layers. */
export function routerOf(loss: Loss, moe: MoeConfig): Router {
  const { numExperts, topK, gate, router, balanceWeight, noiseStd, constraint, threshold } = moe;
  const shared = { numExperts, topK, gate: GATE[gate](numExperts), ...(loss === 'none' ? {} : { balance: { loss: BALANCE[loss], weight: balanceWeight } }) };
  const capacity = constraint === 'capacity' ? { capacityFactor: threshold ?? 1.5 } : {};
  const chosen = router === 'noisy-top-k' ? noisyTopKRouter(shared) : topKRouter({ ...shared, noiseStd: NOISELESS.includes(loss) ? 0 : noiseStd, ...capacity });
  if (constraint !== 'relative-importance' && constraint !== 'mean-importance') return chosen;
  return constrainedRouter({ router: chosen, importance: constraint === 'mean-importance' ? 'mean' : 'relative', ...(threshold === null ? {} : { threshold }) });
}
