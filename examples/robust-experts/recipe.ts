import { type Objective, type Optimizer, type Schedule, adam, constant, cosine, pgdAdversarial, piecewise, polynomial, sgd, standard } from '@moe/adv-train';
import { fgsm, pgd } from '@moe/attacks';
import { jit } from '@moe/backend';
import { isDense } from './jobs.js';
import type { Config, ModelName } from './schema.js';

/** Adversarial training with the attack of the configuration (Madry et al., arXiv 1706.06083; Wong et al., arXiv 2001.03994); standard training at eps 0. */
export function objectiveOf(name: ModelName, { training: { method, eps, steps, stepSize, goal, batchNorm } }: Config): Objective {
  if (eps === 0) return standard();
  // Gates are read on the host, and the other modes of batch norm write running statistics or draw noise. Evaluations are not compiled: their batches shrink, and each size would be anew.
  const compiled = isDense(name) && batchNorm === 'running' ? { compile: jit } : {};
  const attack =
    method === 'fast'
      ? fgsm({ eps, start: 'uniform', goal: 'lastStep', ...compiled })
      : pgd({ eps, steps, stepSize: stepSize ?? (2.5 * eps) / steps, start: 'uniform', goal, ...compiled });
  return pgdAdversarial({ attack, batchNorm });
}

export const optimizerOf = ({ training: { optimizer, weightDecay } }: Config): Optimizer => (optimizer === 'adam' ? adam({ weightDecay }) : sgd({ momentum: 0.9, nesterov: true, weightDecay }));

/** The predecessor divides the rate by ten after these shares of the epochs. */
const MILESTONES = [8 / 15, 12 / 15];

export function scheduleOf({ training: { schedule, legacySchedule: legacy, learningRate: base, epochs, warmupEpochs } }: Config): Schedule {
  switch (schedule) {
    case 'constant':
      return constant({ base });
    case 'cosine':
      return cosine(legacy ? { base, min: 5e-5, warmupEpochs, legacy } : { base, min: 0, warmupEpochs, per: 'step' });
    case 'poly':
      return polynomial({ base, legacy });
    case 'step':
      return piecewise({ base, milestones: MILESTONES.map((share) => Math.round(share * epochs)) });
  }
}
