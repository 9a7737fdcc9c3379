import { type Attack, expectKnownKeys } from '@moe/core';
import { type AdversarialOptions, type AttackRecord, attackRecord, attackedInputs, expectAdversarialOptions, expectTrainingAttack } from './attacked-inputs.js';
import { classificationLoss } from './classification-loss.js';
import type { SingleObjective } from './objective.js';

/** Options of {@link pgdAdversarial}. */
export interface PgdAdversarialOptions extends AdversarialOptions {
  /** Makes the training inputs, e.g. `pgd({ …, goal: 'maxLoss' })` of `@moe/attacks`. */
  readonly attack: Attack;
  /** Factor of the model's balance losses, which are those of the attacked batch. @defaultValue 1 */
  readonly auxWeight?: number;
}

/** What of {@link PgdAdversarialOptions} is recorded. */
export interface PgdAdversarialRecord extends Required<Omit<PgdAdversarialOptions, 'attack'>> {
  readonly attack: AttackRecord;
}

/**
 * Adversarial training: mean cross-entropy on the attacked batch alone, plus the model's balance losses.
 *
 * @remarks
 * `min_θ E max_{‖δ‖≤ε} CE(f_θ(x + δ), y)`, eq. (2.1) of Madry et al. The balance losses are no part of what the attack maximises, as in
 * *Robust Experts*. The attack draws from (seed, epoch, example id), so its start does not depend on the batch.
 * With `batchNorm: 'running'`, an attack with the option `compile` of `@moe/attacks` compiles the model once for all steps; the other modes move statistics or draw noise, which `jit` refuses.
 * A resumed run compiles anew, and is the same up to rounding.
 *
 * Rice et al. use `pgd({ eps: 8 / 255, steps: 10, stepSize: 2 / 255, goal: 'lastStep' })` with `'batch-updating'`; Pang et al. the same with `'running'`, which they find better, and weight decay 5e-4.
 *
 * @throws {@link ArgumentError} if the attack or the mode is missing, or the attack leaves rows clean that are already wrong.
 * @see {@link https://arxiv.org/abs/1706.06083 | Madry et al. 2018}, Sec. 2; {@link https://arxiv.org/abs/2002.11569 | Rice et al. 2020}; {@link https://arxiv.org/abs/2010.00467 | Pang et al. 2021}.
 *
 * @example
 * const objective = pgdAdversarial({ attack: pgd({ eps: 8 / 255, steps: 7, goal: 'maxLoss' }), batchNorm: 'running' });
 */
export function pgdAdversarial(options: PgdAdversarialOptions): SingleObjective<PgdAdversarialRecord> {
  expectKnownKeys('pgdAdversarial', options, ['attack', 'batchNorm', 'labelSmoothing', 'auxWeight']);
  const { attack, batchNorm, labelSmoothing = 0, auxWeight = 1 } = options;
  expectTrainingAttack('pgdAdversarial', attack);
  expectAdversarialOptions('pgdAdversarial', { batchNorm, labelSmoothing, auxWeight });
  return {
    name: 'pgd-adversarial',
    options: { attack: attackRecord(attack), batchNorm, labelSmoothing, auxWeight },
    perturb: attackedInputs(attack, batchNorm),
    loss: (model, inputs, { labels }, { batchRng }) => classificationLoss(model, inputs, labels, batchRng.stream('forward'), { labelSmoothing, auxWeight }),
  };
}
