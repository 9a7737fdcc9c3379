import { type EmaOptions, type Optimizer, type Schedule, adam, constant, cosine, piecewise, polynomial, sgd } from '@moe/adv-train';
import { REPLAYS } from './objective.js';
import type { Config } from './schema.js';

/** Epochs over the data: free adversarial training moves the weights several times a batch, and takes as many fewer; the released code does not. */
export const epochsOf = ({ training: { method, variant, epochs } }: Config): number => (method === 'free' && variant !== 'released' ? Math.ceil(epochs / REPLAYS) : epochs);

/** A moving average as of Gowal et al. (arXiv 2010.03593), whose weights are then those of the model. */
export const averagingOf = ({ training: { ema } }: Config): { readonly ema?: EmaOptions } => (ema === null ? {} : { ema: { decay: ema, copyFor: 0.025, ramp: true } });

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
