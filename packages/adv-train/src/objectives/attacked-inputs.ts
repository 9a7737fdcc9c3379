import { tidy } from '@tensorflow/tfjs-core';
import { type Attack, type LogitsFn, type MoeModel, type Rng, expectArgument, expectNumber, expectOneOf } from '@moe/core';
import type { LossWeights } from './classification-loss.js';
import type { ObjectiveStep } from './objective.js';

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

/** Options that every adversarial objective takes. */
export interface AdversarialOptions {
  /** Has no default, because published results differ in it. */
  readonly batchNorm: AttackBatchNorm;
  /** See {@link CrossEntropyOptions}; Pang et al. 2021 find about 0.1 to 0.2 useful. The attack sees the plain labels. @defaultValue 0 */
  readonly labelSmoothing?: number;
}

/** Refuses what is no attack, and one that stops at the first mistake: the wrong rows, nearly all of them at first, would be trained on clean or barely attacked. */
export function expectTrainingAttack(caller: string, attack: Attack): void {
  expectArgument(caller, 'attack', typeof attack?.perturb === 'function', 'be an Attack', attack, "Make one with pgd({ … }) of '@moe/attacks'.");
  const goal = (attack.options as { readonly goal?: unknown }).goal;
  expectArgument(caller, 'attack.options.goal', goal !== 'misclassify', "not be 'misclassify'", goal, "Pass goal: 'maxLoss' or 'lastStep', which attack every row at every step.");
}

export function expectAdversarialOptions(caller: string, { batchNorm, labelSmoothing, auxWeight }: LossWeights & { readonly batchNorm: AttackBatchNorm }): void {
  expectOneOf(caller, 'batchNorm', batchNorm, MODES);
  expectNumber(caller, 'labelSmoothing', labelSmoothing, 0, 1);
  expectNumber(caller, 'auxWeight', auxWeight, 0);
}

/** What of an attack is recorded with an objective. */
export interface AttackRecord {
  readonly name: string;
  readonly options: object;
}

export const attackRecord = ({ name, options }: Attack): AttackRecord => ({ name, options });

/** The model as the attack sees it in a step; `evaluated` is that in evaluation mode, the same function at each step, so that attacks may keep what they compiled of it. */
function attackedModel(model: MoeModel, evaluated: LogitsFn, batchNorm: AttackBatchNorm, rng: Rng): LogitsFn {
  if (batchNorm === 'running') return evaluated;
  let passes = 0;
  return (inputs) => tidy(() => model.forward(inputs, { training: true, updateStatistics: batchNorm === 'batch-updating', rng: rng.at(passes++) }).logits);
}

/** Makes the inputs of an adversarial objective; the attack draws from (seed, epoch, example id), so that its start does not depend on the batch. */
export function attackedInputs(attack: Attack, batchNorm: AttackBatchNorm): NonNullable<ObjectiveStep['perturb']> {
  const evaluated = new WeakMap<MoeModel, LogitsFn>();
  const evaluatedOf = (model: MoeModel): LogitsFn => {
    const logits: LogitsFn = evaluated.get(model) ?? ((inputs) => tidy(() => model.forward(inputs, { training: false }).logits));
    evaluated.set(model, logits);
    return logits;
  };
  return (model, { inputs, labels, ids }, { exampleRng, batchRng }) =>
    tidy(
      () =>
        attack.perturb(attackedModel(model, evaluatedOf(model), batchNorm, batchRng.stream('attacked')), inputs, labels, { rng: exampleRng.stream('attack'), exampleIds: ids }).adversarial,
    );
}
