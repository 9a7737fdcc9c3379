import type { NamedTensorMap } from '@tensorflow/tfjs-core';
import { type Batch, type Compile, type MoeModel, type Weight, expectArgument, expectInteger, expectKnownKeys } from '@moe/core';
import type { Json } from './checkpoint/fingerprint.js';
import type { CheckpointStore } from './checkpoint/store.js';
import { expectWeights } from './checkpoint/weights.js';
import { type EmaOptions, expectEma } from './ema.js';
import type { TrainEvent } from './events.js';
import type { RouterWeights } from './moe/router-weights.js';
import { type RoutingAlarms, expectAlarms } from './moe/routing-alarms.js';
import { type Observer, describeObservers, expectObservers } from './observer.js';
import { type WeightGroup, describeGroups, expectGroups } from './optimizers/groups.js';
import { type Objective, objectiveSteps } from './objectives/objective.js';
import type { Optimizer } from './optimizers/optimizer.js';
import type { Schedule } from './schedules/schedule.js';
import { type ValidationOptions, describeValidation, expectValidation } from './validation/validation.js';

/**
 * Gives all processes that train together the mean of each tensor, the same bits to all: `(tensors) => cluster.allReduce(tensors, 'mean')`, with `connectCluster()` of `@moe/backend/node`.
 *
 * @param tensors - float32, under the same names and of the same shapes on every process; the mean is new tensors, which `train` disposes.
 */
export type Exchange = (tensors: NamedTensorMap) => Promise<NamedTensorMap>;

/** Options of `train`. */
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
  /** Weights that have an optimizer or learning rate of their own; the first group that matches decides. Compared on resume by the names that match. @defaultValue none */
  readonly groups?: readonly WeightGroup[];
  /**
   * Largest L2 norm of the gradient of all weights together: `g ← g · min(1, clipNorm / ‖g‖)`.
   * @defaultValue not clipped
   */
  readonly clipNorm?: number;
  /**
   * Batches whose gradients make one update, each weighted by its examples; the last update of an epoch may have fewer. The same as one step on the joined batch, up to rounding, for losses
   * that are means over rows. Batch norm, balance losses, capacity and {@link ObjectiveStep.displace} still see one batch at a time. Refused for objectives of several steps.
   * @defaultValue 1
   */
  readonly accumulate?: number;
  /**
   * A moving average of the weights, moved after each update; training goes on from the weights themselves. Running statistics are not averaged.
   * Gowal et al. have `{ decay: 0.995, copyFor: 0.025, ramp: true }`, {@link https://arxiv.org/abs/2010.03593 | 2010.03593}.
   * @defaultValue none
   */
  readonly ema?: EmaOptions;
  /** Decides every draw of the attack and of router noise; integer in `[0, 2^53)`. */
  readonly seed: number;
  /** What else decides the run, e.g. data set, batch size, architecture; a checkpoint with another value is refused. @defaultValue {} */
  readonly identity?: { readonly [key: string]: Json };
  /** Where to save, and to continue from if something is there. @defaultValue nothing is saved */
  readonly checkpoint?: CheckpointStore;
  /** Steps between checkpoints within an epoch; one is written at the end of each epoch in any case. @defaultValue `batchesPerEpoch` */
  readonly checkpointEvery?: number;
  /** Look at the model at the end of epochs; what they see is in the history. @defaultValue none */
  readonly observers?: readonly Observer[];
  /**
   * Looks at held-out examples at the end of epochs: what it finds is in the history and in events, tells the best epoch, whose weights the result brings, and may end the run early.
   * @defaultValue none
   */
  readonly validation?: ValidationOptions;
  /** Bounds beyond which routing counts as frozen or collapsed: an `alarm` event, and a finding in the history. @defaultValue those of {@link RoutingAlarms} */
  readonly alarms?: RoutingAlarms;
  /** Which weights are routers', for their gradients in the history; those of a layer are named `LAYER/…`. @defaultValue {@link isRouterWeight}, the names of `@moe/layers` */
  readonly routerWeights?: RouterWeights;
  /** Told what happens, and waited for. After a resume, events after the last checkpoint come again. */
  readonly onEvent?: (event: TrainEvent) => void | Promise<void>;
  /** Stops between two steps, after writing a checkpoint. */
  readonly signal?: AbortSignal;
  /**
   * Compiles the part of a step from its inputs to the new weights, e.g. `jit` of `@moe/backend`; no part of what a checkpoint compares. Weights are the same up to rounding, also
   * where a resumed run compiles anew. Not for models that read values or draw noise while they train: those with routed layers or dropout.
   * @defaultValue steps run as they are
   */
  readonly compile?: Compile;
  /**
   * Trains on several processes: `data` gives each its own part of every batch, all have the other options and start from the same weights or checkpoint. Each update then is that of the joined
   * batch, up to rounding, for losses that are means over rows, and running statistics become the means of all; batch norm, balance losses, capacity, router noise and {@link ObjectiveStep.displace}
   * still see the part. The history is of the part. No part of what a checkpoint compares.
   * @defaultValue one process
   */
  readonly exchange?: Exchange;
}

const KEYS: readonly (keyof TrainOptions)[] = [
  'model',
  'weights',
  'data',
  'batchesPerEpoch',
  'epochs',
  'objective',
  'optimizer',
  'schedule',
  'groups',
  'clipNorm',
  'accumulate',
  'ema',
  'seed',
  'identity',
  'checkpoint',
  'checkpointEvery',
  'observers',
  'validation',
  'alarms',
  'routerWeights',
  'onEvent',
  'signal',
  'compile',
  'exchange',
];

function isObjective(objective: Objective | undefined): boolean {
  if (typeof objective !== 'object' || objective === null) return false;
  const steps = objectiveSteps(objective);
  return steps.length > 0 && steps.every(({ loss, updates = 1 }) => typeof loss === 'function' && Number.isInteger(updates) && updates > 0);
}

/** Checks every option; see `train` for what is thrown. */
export function checkOptions(options: TrainOptions): void {
  expectKnownKeys('train', options, KEYS);
  const { model, weights, data, batchesPerEpoch, epochs, objective, optimizer, schedule, groups, clipNorm, accumulate, ema, seed, checkpointEvery, observers = [], validation, alarms = {}, routerWeights, compile, exchange } = options;
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
  expectArgument('train', 'objective', isObjective(objective), 'be an Objective', objective, 'Make one with standard() or pgdAdversarial({ … }).');
  expectArgument('train', 'optimizer', typeof optimizer?.update === 'function', 'be an Optimizer', optimizer, 'Make one with sgd({ … }) or adam({ … }).');
  expectArgument('train', 'schedule', typeof schedule?.rate === 'function', 'be a Schedule', schedule, 'Make one with constant({ base }).');
  if (groups !== undefined) expectGroups(weights, groups);
  if (clipNorm !== undefined) expectArgument('train', 'clipNorm', Number.isFinite(clipNorm) && clipNorm > 0, 'be a finite number > 0', clipNorm);
  if (accumulate !== undefined) expectInteger('train', 'accumulate', accumulate, 1);
  const { length } = objectiveSteps(objective);
  expectArgument('train', 'accumulate', length === 1 || (accumulate ?? 1) === 1, `be 1 for an objective of ${length} steps`, accumulate);
  if (ema !== undefined) expectEma(ema);
  expectInteger('train', 'seed', seed, 0);
  if (checkpointEvery !== undefined) expectInteger('train', 'checkpointEvery', checkpointEvery, 1);
  expectObservers(observers);
  if (validation !== undefined) expectValidation(validation, ema !== undefined);
  expectAlarms(alarms);
  expectArgument('train', 'routerWeights', routerWeights === undefined || typeof routerWeights === 'function', 'be a function', routerWeights);
  expectArgument('train', 'compile', compile === undefined || typeof compile === 'function', 'be a function', compile, "Pass jit of '@moe/backend'.");
  expectArgument('train', 'exchange', exchange === undefined || typeof exchange === 'function', 'be a function', exchange, "Pass (tensors) => cluster.allReduce(tensors, 'mean').");
}

/** Everything about a run that decides its course, as plain JSON. */
export function fingerprint({ weights, objective, optimizer, groups, clipNorm, accumulate, ema, schedule, epochs, batchesPerEpoch, seed, observers, validation, alarms, identity = {} }: TrainOptions): Json {
  const named = ({ name, options }: { readonly name: string; readonly options: object }): object => ({ name, ...options });
  const value = {
    seed,
    epochs,
    batchesPerEpoch,
    objective: named(objective),
    optimizer: named(optimizer),
    groups: groups && describeGroups(weights, groups),
    clipNorm,
    accumulate,
    ema,
    schedule: named(schedule),
    observers: observers && describeObservers(observers),
    validation: validation && describeValidation(validation),
    alarms,
    identity,
  };
  return JSON.parse(JSON.stringify(value)) as Json;
}
