import type { Tensor } from '@tensorflow/tfjs-core';
import type { EpochRecord } from '../history.js';
import type { LayerTally, Tally } from '../internal/tally.js';
import type { ValidatedSet, ValidationRecord } from '../validation/validation.js';
import type { StoredTensor } from './tensor-file.js';

/** Where a run stands, besides its weights. */
export interface RunState {
  /** Epochs finished. */
  epoch: number;
  /** Steps finished in the current epoch. */
  step: number;
  /** Updates of each trainable weight so far, by name. */
  readonly updates: Map<string, number>;
  /** Tensors of the optimiser, by weight name; the run owns them. */
  readonly slots: Map<string, readonly Tensor[]>;
  /** Gradients not yet used, summed over examples, by weight name; the run owns them. */
  gradients: Map<string, Tensor>;
  /** Examples in {@link gradients}. */
  rows: number;
  /** Moving averages of the weights by name; the run owns them. */
  readonly averages: Map<string, Tensor>;
  /** What the objective's last step handed over; the run owns it. */
  carried: Tensor | undefined;
  /** Sums of the current epoch. */
  tally: Tally;
  readonly history: EpochRecord[];
  /** All weights of the best epoch; `undefined` before the first look that selects. */
  best: readonly StoredTensor[] | undefined;
}

type Check = (value: unknown) => boolean;

const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isText: Check = (value) => typeof value === 'string';
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const recordOf =
  (check: Check): Check =>
  (value) =>
    isRecord(value) && Object.values(value).every(check);
const fields =
  <T>(checks: { readonly [K in keyof T]-?: Check }): Check =>
  (value) =>
    isRecord(value) && Object.entries<Check>(checks).every(([key, check]) => check(value[key]));

const isLayerTally = fields<LayerTally>({ rows: isCount, used: listOf(isCount), gate: listOf(isNumber), aux: isNumber, dropped: isNumber });
const isTally = fields<Tally>({ examples: isCount, correct: isNumber, loss: isNumber, learningRate: isNumber, updates: isCount, gradientNorms: isNumber, gradientNormMax: isNumber, terms: recordOf(isNumber), layers: recordOf(isLayerTally), routers: recordOf(isNumber) });
const isRoutingRecord = fields<EpochRecord['routing'][number]>({
  layer: isText,
  usage: listOf(isNumber),
  loadEntropy: isNumber,
  routerGradient: isNumber,
  meanGate: listOf(isNumber),
  auxLoss: isNumber,
  droppedFraction: isNumber,
});
const isValidatedSet = fields<ValidatedSet>({ examples: isCount, clean: isNumber, robust: isNumber, trust: isText });
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const isEpochRecord = fields<EpochRecord>({
  epoch: isCount,
  learningRate: isNumber,
  gradientNorm: fields<EpochRecord['gradientNorm']>({ mean: isNumber, max: isNumber }),
  loss: isNumber,
  terms: recordOf(isNumber),
  accuracy: isNumber,
  examples: isCount,
  routing: listOf(isRoutingRecord),
  findings: listOf(isRecord),
  observed: isRecord,
  validation: optional(fields<ValidationRecord>({ sets: recordOf(isValidatedSet), score: optional(isNumber) })),
});

/** What of a {@link RunState} is stored as JSON. */
export interface StoredState {
  readonly epoch: number;
  readonly step: number;
  readonly updates: Readonly<Record<string, number>>;
  readonly rows: number;
  readonly tally: Tally;
  readonly history: readonly EpochRecord[];
}

/** Tells whether parsed JSON is a {@link StoredState}. */
export const isStoredState = fields<StoredState>({
  epoch: isCount,
  step: isCount,
  updates: recordOf(isCount),
  rows: isCount,
  tally: isTally,
  history: listOf(isEpochRecord),
}) as (value: unknown) => value is StoredState;
