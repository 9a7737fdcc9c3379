import { tidy } from '@tensorflow/tfjs-core';
import { type Attack, type LogitsFn, type MoeModel, type Rng, expectArgument, expectKnownKeys, expectOneOf } from '@moe/core';
import { classificationLoss } from './classification-loss.js';
import type { Objective } from './objective.js';

const MODES = ['running', 'batch', 'batch-updating'] as const;

/**
 * Statistics of batch norm while the attack runs.
 *
 * @remarks
 * `'running'`: evaluation mode, the model as it will be attacked. `'batch'`: training mode (also router noise and capacity), running
 * statistics untouched. `'batch-updating'`: training mode that moves the running statistics at each pass of the attack, as the code released
 * with *Robust Experts* and Rice et al. does.
 */
export type AttackBatchNorm = (typeof MODES)[number];

/** Options of {@link pgdAdversarial}. */
export interface PgdAdversarialOptions {
  /** Makes the training inputs, e.g. `pgd({ …, goal: 'maxLoss' })` of `@moe/attacks`. */
  readonly attack: Attack;
  /** Has no default, because published results differ in it. */
  readonly batchNorm: AttackBatchNorm;
}

/** What of {@link PgdAdversarialOptions} is recorded. */
export interface PgdAdversarialRecord {
  readonly attack: { readonly name: string; readonly options: object };
  readonly batchNorm: AttackBatchNorm;
}

/** The model as the attack sees it in a step; `evaluated` is that in evaluation mode, the same function at each step, so that attacks may keep what they compiled of it. */
function attackedModel(model: MoeModel, evaluated: LogitsFn, batchNorm: AttackBatchNorm, rng: Rng): LogitsFn {
  if (batchNorm === 'running') return evaluated;
  let passes = 0;
  return (inputs) => tidy(() => model.forward(inputs, { training: true, updateStatistics: batchNorm === 'batch-updating', rng: rng.at(passes++) }).logits);
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
 * @throws {@link ArgumentError} if the attack or the mode is missing, or the attack leaves rows clean that are already wrong.
 * @see {@link https://arxiv.org/abs/1706.06083 | Madry et al. 2018}, Sec. 2.
 *
 * @example
 * const objective = pgdAdversarial({ attack: pgd({ eps: 8 / 255, steps: 7, goal: 'maxLoss' }), batchNorm: 'running' });
 */
export function pgdAdversarial(options: PgdAdversarialOptions): Objective<PgdAdversarialRecord> {
  expectKnownKeys('pgdAdversarial', options, ['attack', 'batchNorm']);
  const { attack, batchNorm } = options;
  expectArgument('pgdAdversarial', 'attack', typeof attack?.perturb === 'function', 'be an Attack', attack, "Make one with pgd({ … }) of '@moe/attacks'.");
  const goal = (attack.options as { readonly goal?: unknown }).goal;
  // Such an attack stops at the first mistake: the wrong rows, nearly all of them at first, would be trained on clean or barely attacked.
  expectArgument('pgdAdversarial', 'attack.options.goal', goal !== 'misclassify', "not be 'misclassify'", goal, "Pass goal: 'maxLoss', which attacks every row at every step.");
  expectOneOf('pgdAdversarial', 'batchNorm', batchNorm, MODES);
  const evaluated = new WeakMap<MoeModel, LogitsFn>();
  const evaluatedOf = (model: MoeModel): LogitsFn => {
    const logits: LogitsFn = evaluated.get(model) ?? ((inputs) => tidy(() => model.forward(inputs, { training: false }).logits));
    evaluated.set(model, logits);
    return logits;
  };
  return {
    name: 'pgd-adversarial',
    options: { attack: { name: attack.name, options: attack.options }, batchNorm },
    perturb: (model, { inputs, labels, ids }, { exampleRng, batchRng }) =>
      tidy(
        () =>
          attack.perturb(attackedModel(model, evaluatedOf(model), batchNorm, batchRng.stream('attacked')), inputs, labels, { rng: exampleRng.stream('attack'), exampleIds: ids })
            .adversarial,
      ),
    loss: (model, inputs, { labels }, { batchRng }) => classificationLoss(model, inputs, labels, batchRng.stream('forward')),
  };
}
