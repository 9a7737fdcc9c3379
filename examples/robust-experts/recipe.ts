import { type Objective, type Optimizer, type Schedule, adam, constant, cosine, fastAdversarial, freeAdversarial, pgdAdversarial, piecewise, polynomial, sgd, standard } from '@moe/adv-train';
import { pgd } from '@moe/attacks';
import { jit } from '@moe/backend';
import { isDense } from './jobs.js';
import type { Config, ModelName } from './schema.js';

/** Replays of each batch in free adversarial training, as in the paper. */
const REPLAYS = 4;

/** Epochs over the data: free adversarial training moves the weights several times a batch, and takes as many fewer. */
export const epochsOf = ({ training: { method, epochs } }: Config): number => (method === 'free' ? Math.ceil(epochs / REPLAYS) : epochs);

/** Adversarial training by the method of the configuration; standard training at eps 0. */
export function objectiveOf(name: ModelName, { training: { method, eps, steps, stepSize, goal, batchNorm } }: Config): Objective {
  if (eps === 0) return standard();
  // Gates are read on the host, and the other modes of batch norm write running statistics or draw noise. Evaluations are not compiled: their batches shrink, and each size would be anew.
  const compiled = isDense(name) && batchNorm === 'running' ? { compile: jit } : {};
  switch (method) {
    case 'fast':
      return fastAdversarial({ eps, batchNorm, ...compiled });
    case 'free':
      return freeAdversarial({ eps, replays: REPLAYS });
    case 'pgd':
      return pgdAdversarial({ attack: pgd({ eps, steps, stepSize: stepSize ?? (2.5 * eps) / steps, start: 'uniform', goal, ...compiled }), batchNorm });
  }
}

export const optimizerOf = ({ training: { optimizer, weightDecay } }: Config): Optimizer => (optimizer === 'adam' ? adam({ weightDecay }) : sgd({ momentum: 0.9, nesterov: true, weightDecay }));

/** The predecessor divides the rate by ten after these shares of the epochs. */
const MILESTONES = [8 / 15, 12 / 15];

export function scheduleOf(config: Config): Schedule {
  const { schedule, legacySchedule: legacy, learningRate: base, warmupEpochs } = config.training;
  switch (schedule) {
    case 'constant':
      return constant({ base });
    case 'cosine':
      return cosine(legacy ? { base, min: 5e-5, warmupEpochs, legacy } : { base, min: 0, warmupEpochs, per: 'step' });
    case 'poly':
      return polynomial({ base, legacy });
    case 'step':
      return piecewise({ base, milestones: MILESTONES.map((share) => Math.round(share * epochsOf(config))) });
  }
}
