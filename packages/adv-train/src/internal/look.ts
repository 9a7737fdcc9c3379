import type { Tensor } from '@tensorflow/tfjs-core';
import type { MoeLogitsFn } from '@moe/core';
import type { RunIdentity } from '../checkpoint/run-checkpoint.js';
import type { RunState } from '../checkpoint/run-state.js';
import type { StoredTensor } from '../checkpoint/tensor-file.js';
import { copyWeights } from '../checkpoint/weights.js';
import type { EpochRecord } from '../history.js';
import { observe } from '../observer.js';
import type { TrainOptions } from '../train-options.js';
import { bestEpoch } from '../validation/selection.js';
import { validate } from '../validation/validate.js';
import type { ValidationOptions, ValidationRecord } from '../validation/validation.js';
import { withDisplaced } from './displaced.js';

/** What was seen of the model at the end of an epoch. */
export interface Look {
  readonly observed: EpochRecord['observed'];
  readonly validation?: ValidationRecord;
  /** All weights that were looked at, where no epoch before had a score as high. */
  readonly best?: readonly StoredTensor[];
}

interface Looking {
  readonly options: TrainOptions;
  readonly identity: RunIdentity;
  /** The model in evaluation mode: the same function at each look, so that attacks may keep what they compiled of it. */
  readonly evaluated: MoeLogitsFn;
}

async function lookAtSets(validation: ValidationOptions, { options: { seed, signal }, identity, evaluated }: Looking, state: RunState): Promise<Omit<Look, 'observed'>> {
  const trainable = identity.weights.filter((weight) => weight.trainable);
  const values: Readonly<Record<string, Tensor>> = validation.weights === 'ema' ? Object.fromEntries(state.averages) : {};
  return withDisplaced(trainable, values, async () => {
    const record = await validate(validation, evaluated, seed, signal);
    const isBest = record.score !== undefined && record.score > (bestEpoch(state.history)?.score ?? -Infinity);
    return { validation: record, ...(isBest && { best: await copyWeights(identity.weights) }) };
  });
}

/** Lets observers look at the model, and looks at the validation sets, where the epoch's turn has come; changes nothing. */
export async function look(looking: Looking, state: RunState): Promise<Look> {
  const { model, epochs, observers = [], validation, signal } = looking.options;
  const observed = await observe(observers, model, state.epoch, epochs, signal);
  const isTurn = validation !== undefined && ((state.epoch + 1) % (validation.every ?? 1) === 0 || state.epoch + 1 === epochs);
  return { observed, ...(isTurn && (await lookAtSets(validation, looking, state))) };
}
