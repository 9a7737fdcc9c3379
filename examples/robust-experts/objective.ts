import {
  type Objective,
  type ObjectiveTerm,
  advMoe,
  awp,
  expertConsistency,
  fastAdversarial,
  freeAdversarial,
  mart,
  pgdAdversarial,
  prc,
  routerKl,
  routerMargin,
  rtEr,
  standard,
  trades,
  vmoeAdversarialFineTuning,
  withTerms,
} from '@moe/adv-train';
import { type PgdOptions, pgd } from '@moe/attacks';
import { jit } from '@moe/backend';
import { isDense } from './jobs.js';
import type { Config, ModelName, Term } from './schema.js';

/** Replays of each batch in free adversarial training, as in the paper. */
export const REPLAYS = 4;
/** Of the hinge on the lead of the chosen expert; of no paper. */
const MARGIN_WEIGHT = 0.1;

/** The attack of the configuration, from another start and on another loss where a method asks for it. */
function attackOf({ training: { eps, steps, stepSize, goal } }: Config, changes: Partial<PgdOptions> = {}) {
  return pgd({ eps, steps, stepSize: stepSize ?? (2.5 * eps) / steps, start: 'uniform', goal, ...changes });
}

function termOf(term: Term, config: Config): ObjectiveTerm {
  switch (term) {
    case 'expert-consistency':
      return expertConsistency({ attack: attackOf(config) });
    case 'router-kl':
      return routerKl();
    case 'router-margin':
      return routerMargin({ weight: MARGIN_WEIGHT });
    case 'prc':
      return prc();
  }
}

function methodOf(name: ModelName, config: Config): Objective {
  const { method, variant, eps, steps, batchNorm, labelSmoothing } = config.training;
  const legacy = variant === 'released';
  // Gates are read on the host, and the other modes of batch norm write running statistics or draw noise. Evaluations are not compiled: their batches shrink, and each size would be anew.
  const compiled = isDense(name) && batchNorm === 'running' ? { compile: jit } : {};
  const near = { start: 'normal', ...compiled } as const;
  switch (method) {
    case 'pgd':
      return pgdAdversarial({ attack: attackOf(config, compiled), batchNorm, labelSmoothing });
    case 'trades':
      return trades({ attack: attackOf(config, { ...near, loss: 'kl' }), batchNorm, labelSmoothing, legacy });
    case 'mart':
      return mart({ attack: attackOf(config, near), batchNorm, legacy });
    case 'fast':
      return fastAdversarial({ eps, batchNorm, labelSmoothing, legacy, ...(legacy ? {} : compiled) });
    case 'free':
      return freeAdversarial({ eps, replays: REPLAYS, labelSmoothing, legacy });
    case 'rt-er':
      return rtEr({ attack: attackOf(config), variant });
    case 'adv-moe':
      return advMoe({ attack: attackOf(config, { start: 'normal', loss: 'kl' }), variant });
    case 'v-moe':
      return vmoeAdversarialFineTuning({ eps, steps, variant: legacy ? 'released' : 'fixed' });
  }
}

/** Training by the method of the configuration, with its terms and at its displaced weights; standard training at eps 0. */
export function objectiveOf(name: ModelName, config: Config): Objective {
  const { eps, labelSmoothing, terms, awp: gamma } = config.training;
  const method = eps === 0 ? standard({ labelSmoothing }) : methodOf(name, config);
  const whole = terms.length === 0 ? method : withTerms(method, terms.map((term) => termOf(term, config)));
  return gamma === null || 'steps' in whole ? whole : awp(whole, { gamma });
}
