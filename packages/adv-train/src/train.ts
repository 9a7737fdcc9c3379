import { AbortedError, type Batch, type MoeModel, type Weight, createRng, expectArgument, expectInteger, expectKnownKeys, throwIfAborted } from '@moe/core';
import type { Json } from './checkpoint/fingerprint.js';
import { type RunIdentity, decodeRun, encodeRun } from './checkpoint/run-checkpoint.js';
import type { RunState } from './checkpoint/run-state.js';
import type { CheckpointStore } from './checkpoint/store.js';
import { expectWeights } from './checkpoint/weights.js';
import type { TrainEvent } from './events.js';
import type { TrainHistory } from './history.js';
import { estimateLeft } from './internal/clock.js';
import { yieldToHost } from './internal/yield.js';
import { trainStep } from './internal/step.js';
import { addStep, closeEpoch, emptyTally } from './internal/tally.js';
import type { Objective } from './objectives/objective.js';
import type { Optimizer } from './optimizers/optimizer.js';
import type { Schedule } from './schedules/schedule.js';

/** Options of {@link train}. */
export interface TrainOptions {
  /** Model to train: `moeModel(…)` of `@moe/layers`, or {@link plainModel} of any function. */
  readonly model: MoeModel;
  /** All its weights; those with `trainable: false` are saved but not moved. */
  readonly weights: readonly Weight[];
  /** Batches of one epoch, numbered from 0; a pure function, so that a resumed run sees the same data. */
  readonly data: (epoch: number) => AsyncIterable<Batch>;
  /** Steps of an epoch; what `data` gives beyond is not read. */
  readonly batchesPerEpoch: number;
  readonly epochs: number;
  readonly objective: Objective;
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  /** Decides every draw of the attack and of router noise; integer in `[0, 2^53)`. */
  readonly seed: number;
  /** What else decides the run, e.g. data set, batch size, architecture; a checkpoint with another value is refused. @defaultValue {} */
  readonly identity?: { readonly [key: string]: Json };
  /** Where to save, and to continue from if something is there. @defaultValue nothing is saved */
  readonly checkpoint?: CheckpointStore;
  /** Steps between checkpoints within an epoch; one is written at the end of each epoch in any case. @defaultValue `batchesPerEpoch` */
  readonly checkpointEvery?: number;
  /** Told what happens, and waited for. After a resume, events after the last checkpoint come again. */
  readonly onEvent?: (event: TrainEvent) => void | Promise<void>;
  /** Stops between two steps, after writing a checkpoint. */
  readonly signal?: AbortSignal;
}

/** What {@link train} resolves to; the trained weights are in the model. */
export interface TrainResult {
  readonly history: TrainHistory;
}

const KEYS = [
  ...['model', 'weights', 'data', 'batchesPerEpoch', 'epochs', 'objective', 'optimizer', 'schedule', 'seed'],
  ...['identity', 'checkpoint', 'checkpointEvery', 'onEvent', 'signal'],
];

function checkOptions(options: TrainOptions): void {
  expectKnownKeys('train', options, KEYS);
  const { model, weights, data, batchesPerEpoch, epochs, objective, optimizer, schedule, seed, checkpointEvery } = options;
  expectArgument('train', 'model', typeof model?.forward === 'function', 'be a MoeModel', model, 'Lift a function with plainModel(fn).');
  expectWeights('train', weights);
  const trainable = weights.filter((weight) => weight.trainable);
  expectArgument('train', 'weights', trainable.length > 0, 'have a trainable one', weights.length);
  for (const { name, variable } of trainable) {
    expectArgument('train', `weights['${name}'].variable`, variable.trainable, 'be trainable in tfjs', false, 'Make it with trainable = true, or mark the weight as frozen.');
  }
  expectArgument('train', 'data', typeof data === 'function', 'be a function of the epoch', data);
  expectInteger('train', 'batchesPerEpoch', batchesPerEpoch, 1);
  expectInteger('train', 'epochs', epochs, 1);
  expectArgument('train', 'objective', typeof objective?.loss === 'function', 'be an Objective', objective, 'Make one with standard() or pgdAdversarial({ … }).');
  expectArgument('train', 'optimizer', typeof optimizer?.update === 'function', 'be an Optimizer', optimizer, 'Make one with sgd({ … }) or adam({ … }).');
  expectArgument('train', 'schedule', typeof schedule?.rate === 'function', 'be a Schedule', schedule, 'Make one with constant({ base }).');
  expectInteger('train', 'seed', seed, 0);
  if (checkpointEvery !== undefined) expectInteger('train', 'checkpointEvery', checkpointEvery, 1);
}

function fingerprint({ objective, optimizer, schedule, epochs, batchesPerEpoch, seed, identity = {} }: TrainOptions): Json {
  const named = ({ name, options }: { readonly name: string; readonly options: object }): object => ({ name, ...options });
  const value = { seed, epochs, batchesPerEpoch, objective: named(objective), optimizer: named(optimizer), schedule: named(schedule), identity };
  return JSON.parse(JSON.stringify(value)) as Json;
}

function freshState(weights: readonly Weight[], optimizer: Optimizer): RunState {
  const slots = new Map(weights.map(({ name, variable }) => [name, optimizer.slots.map(() => new Float32Array(variable.size))]));
  const updates = new Map(weights.map(({ name }) => [name, 0]));
  return { epoch: 0, step: 0, updates, slots, tally: emptyTally(), history: [] };
}

/**
 * Trains a model, and continues exactly where an earlier call with the same options and checkpoint was interrupted.
 *
 * @remarks
 * Resuming gives, on the same engine, bit for bit the weights and the history of a run without interruption: weights, running statistics, optimiser
 * state and sums are in the checkpoint, random draws depend on (seed, epoch, step or example id), and data on the epoch. A finished checkpoint
 * returns at once. Only one batch and one checkpoint are held besides the model and the optimiser's arrays.
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
  const { model, weights, data, batchesPerEpoch, epochs, objective, optimizer, schedule, seed, checkpoint, checkpointEvery, onEvent, signal } = options;
  throwIfAborted('train', signal);
  const trainable = weights.filter((weight) => weight.trainable);
  const identity: RunIdentity = { weights, optimizer, fingerprint: fingerprint(options) };
  const parts = { model, weights: trainable, objective, optimizer };
  const rng = createRng(seed).stream('train');

  const saved = await checkpoint?.read();
  const state = saved === undefined ? freshState(trainable, optimizer) : decodeRun(identity, saved);
  if (saved !== undefined) await onEvent?.({ type: 'resume', epoch: state.epoch, step: state.step });
  const stepsLeft = (): number => (epochs - state.epoch) * batchesPerEpoch - state.step;
  const etaMs = estimateLeft(stepsLeft);

  const save = async (): Promise<void> => {
    if (checkpoint === undefined) return;
    const bytes = await encodeRun(identity, state);
    await checkpoint.write(bytes);
    await onEvent?.({ type: 'checkpoint', epoch: state.epoch, step: state.step, bytes: bytes.length });
  };
  let unsaved = false;

  const runStep = async (batch: Batch): Promise<void> => {
    const { epoch, step } = state;
    const learningRate = schedule.rate(epoch + step / batchesPerEpoch, epochs);
    const context = { exampleRng: rng.stream('example').at(epoch), batchRng: rng.stream('batch').at(epoch, step) };
    const facts = await trainStep(parts, batch, context, state, learningRate);
    addStep(state.tally, facts);
    state.step++;
    unsaved = true;
    const { loss, terms, correct, examples } = facts;
    await onEvent?.({ type: 'step', epoch, step, steps: batchesPerEpoch, learningRate, loss, terms, accuracy: correct / examples, etaMs: etaMs() });
  };

  while (state.epoch < epochs) {
    const { epoch } = state;
    let seen = 0;
    if (state.step < batchesPerEpoch) {
      for await (const batch of data(epoch)) {
        if (seen++ < state.step) continue;
        if (signal?.aborted) {
          if (unsaved) await save();
          throw new AbortedError(`train: aborted by the caller before epoch ${epoch}, step ${state.step}.`, { cause: signal.reason });
        }
        await runStep(batch);
        if (state.step === batchesPerEpoch) break;
        if (checkpointEvery !== undefined && state.step % checkpointEvery === 0) {
          await save();
          unsaved = false;
        }
        await yieldToHost();
      }
    }
    expectArgument('train', `data(${epoch})`, state.step === batchesPerEpoch, `give batchesPerEpoch = ${batchesPerEpoch} batches`, state.step);
    const record = closeEpoch(epoch, state.tally);
    state.history.push(record);
    state.epoch++;
    state.step = 0;
    state.tally = emptyTally();
    await onEvent?.({ type: 'epoch', record, epochs, etaMs: etaMs() });
    await save();
    unsaved = false;
  }
  return { history: { epochs: state.history } };
}
