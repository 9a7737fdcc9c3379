// Shapes: B batch.
import { type Tensor, tidy, zerosLike } from '@tensorflow/tfjs-core';
import { type Attack, type LogitsFn, type MoeModel, expectArgument } from '@moe/core';
import type { ObjectiveContext, TrainingBatch } from '../objectives/objective.js';
import { jointDistribution } from './joint-distribution.js';

/** What of an attack is recorded. */
export interface AttackRecord {
  readonly name: string;
  readonly options: object;
}

export const recordOf = ({ name, options }: Attack): AttackRecord => ({ name, options });

/** @throws ArgumentError if it is no attack, or one that leaves rows clean that are already wrong. */
export function expectTrainingAttack(caller: string, attack: Attack): void {
  expectArgument(caller, 'attack', typeof attack?.perturb === 'function', 'be an Attack', attack, "Make one with pgd({ … }) of '@moe/attacks'.");
  const { goal } = attack.options as { readonly goal?: unknown };
  expectArgument(caller, 'attack.options.goal', goal !== 'misclassify', "not be 'misclassify'", goal, "Pass goal: 'maxLoss' or 'lastStep', which attack every row at every step.");
}

/**
 * Attacked inputs `[B, …]`; the caller disposes them.
 *
 * @param stream - keeps the draws of several attacks in a step apart.
 */
export const attacked = (attack: Attack, model: LogitsFn, { inputs, labels, ids }: TrainingBatch, { exampleRng }: ObjectiveContext, stream: string): Tensor =>
  tidy(() => attack.perturb(model, inputs, labels, { rng: exampleRng.stream(stream), exampleIds: ids }).adversarial);

/** Inputs `[B, …]` under an attack on the gates alone, which asks for no labels. */
export const attackedGates = (attack: Attack, model: MoeModel, layers: readonly string[] | undefined, batch: TrainingBatch, context: ObjectiveContext, caller: string): Tensor =>
  tidy(() => attacked(attack, jointDistribution(caller, model, layers, { classes: false }), { ...batch, labels: zerosLike(batch.labels) }, context, caller));
