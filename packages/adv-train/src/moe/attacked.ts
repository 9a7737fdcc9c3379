// Shapes: B batch.
import { type Tensor, tidy, zerosLike } from '@tensorflow/tfjs-core';
import type { Attack, LogitsFn, MoeModel } from '@moe/core';
import type { ObjectiveContext, TrainingBatch } from '../objectives/objective.js';
import { jointDistribution } from './joint-distribution.js';

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
