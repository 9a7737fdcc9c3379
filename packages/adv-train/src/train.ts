import { type Tensor, clone, dispose, zeros } from '@tensorflow/tfjs-core';
import { type Weight, throwIfAborted } from '@moe/core';
import { type RunIdentity, decodeRun } from './checkpoint/run-checkpoint.js';
import type { RunState } from './checkpoint/run-state.js';
import { saveAveraged } from './ema.js';
import { encodeWeights } from './checkpoint/weights.js';
import type { TrainHistory } from './history.js';
import { runEpochs } from './internal/loop.js';
import { type WeightSettings, weightSettings } from './optimizers/groups.js';
import { emptyTally } from './internal/tally.js';
import { type TrainOptions, checkOptions, fingerprint } from './train-options.js';
import { type ScoredEpoch, bestEpoch } from './validation/selection.js';

/** The epoch that `validation.select` chose. */
export interface BestEpoch extends ScoredEpoch {
  /** The model as it was looked at, for {@link loadWeights}. */
  readonly weights: Uint8Array;
}

/** What {@link train} resolves to; the last weights are in the model. */
export interface TrainResult {
  readonly history: TrainHistory;
  /** The model with averaged weights, for {@link loadWeights}; present where `ema` is asked for. */
  readonly averaged?: Uint8Array;
  /** Present where `validation.select` is asked for. */
  readonly best?: BestEpoch;
}

function freshState(weights: readonly Weight[], settings: ReadonlyMap<string, WeightSettings>, averages: boolean): RunState {
  const trainable = weights.filter((weight) => weight.trainable);
  return {
    epoch: 0,
    step: 0,
    updates: new Map(trainable.map(({ name }) => [name, 0])),
    slots: new Map(trainable.map(({ name, variable }) => [name, (settings.get(name)?.optimizer.slots ?? []).map(() => zeros(variable.shape))])),
    averages: new Map(averages ? trainable.map(({ name, variable }) => [name, clone(variable as Tensor)]) : []),
    gradients: new Map(),
    rows: 0,
    carried: undefined,
    tally: emptyTally(),
    history: [],
    best: undefined,
  };
}

/**
 * Trains a model, and continues exactly where an earlier call with the same options and checkpoint was interrupted.
 *
 * @remarks
 * Resuming gives, on the same engine, bit for bit the weights and the history of a run without interruption: weights, running statistics, optimiser
 * state and sums are in the checkpoint, random draws depend on (seed, epoch, step or example id), and data on the epoch. A finished checkpoint
 * returns at once. Only one batch is held besides the model and the optimiser's tensors.
 *
 * @returns The history; the model's weights have been moved in place.
 * @throws {@link ArgumentError} if an option or a batch breaks its rule, or an epoch has too few batches.
 * @throws {@link NumericsError} if a loss is not finite, naming epoch, step and summands.
 * @throws {@link CheckpointError} if the checkpoint is damaged or of another model or run.
 * @throws {@link AbortedError} if `signal` fires; the checkpoint then holds the last finished step.
 *
 * @example
 * const { history } = await train({
 *   model, weights, data: (epoch) => batches(dataset, { batchSize: 64, rng, epoch }), batchesPerEpoch: 187, epochs: 5, seed: 1,
 *   objective: pgdAdversarial({ attack, batchNorm: 'running' }), optimizer: sgd({ momentum: 0.9 }), schedule: cosine({ base: 0.1 }),
 * });
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  checkOptions(options);
  const { weights, optimizer, groups, ema, checkpoint, onEvent, signal } = options;
  throwIfAborted('train', signal);
  const settings = weightSettings(weights, optimizer, groups);
  const identity: RunIdentity = { weights, settings, averages: ema !== undefined, fingerprint: fingerprint(options) };
  const saved = await checkpoint?.read();
  const state = saved === undefined ? freshState(weights, settings, ema !== undefined) : decodeRun(identity, saved);
  try {
    if (saved !== undefined) await onEvent?.({ type: 'resume', epoch: state.epoch, step: state.step });
    await runEpochs(options, identity, state);
    const selected = bestEpoch(state.history);
    return {
      history: { epochs: state.history },
      ...(ema !== undefined && { averaged: await saveAveraged(weights, state.averages) }),
      ...(selected && state.best && { best: { ...selected, weights: encodeWeights(state.best) } }),
    };
  } finally {
    dispose([...[...state.slots.values()].flat(), ...state.gradients.values(), ...state.averages.values(), ...(state.carried ? [state.carried] : [])]);
  }
}
