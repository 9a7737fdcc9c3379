import { type Tensor, tensor } from '@tensorflow/tfjs-core';
import { CheckpointError, type Weight } from '@moe/core';
import type { WeightSettings } from '../optimizers/groups.js';
import { bestEpoch } from '../validation/selection.js';
import { type Json, firstDifference } from './fingerprint.js';
import { type RunState, type StoredState, isStoredState } from './run-state.js';
import { type StoredTensor, decodeTensors, encodeTensors } from './tensor-file.js';
import { assignWeights, readWeights } from './weights.js';

const FORMAT = 'moe-train-2';
const WEIGHT = 'weight/';
const GRADIENT = 'gradient/';
const AVERAGE = 'ema/';
const CARRIED = 'carried';
const BEST = 'best/';
const slotName = (slot: string, weight: string): string => `optimizer/${slot}/${weight}`;

/** What a checkpoint belongs to. */
export interface RunIdentity {
  readonly weights: readonly Weight[];
  /** How each trainable weight is moved. */
  readonly settings: ReadonlyMap<string, WeightSettings>;
  /** Whether weights are averaged. */
  readonly averages: boolean;
  /** Everything that decides the course of the run. */
  readonly fingerprint: Json;
}

const slotsOf = ({ settings }: RunIdentity, weight: string): readonly string[] => settings.get(weight)?.optimizer.slots ?? [];

/** Tensors of a state by name, in an order that the same state always has. */
function namedTensors(identity: RunIdentity, { slots, gradients, averages, carried }: RunState): [string, Tensor][] {
  const names = identity.weights.map(({ name }) => name);
  const inOrder = (prefix: string, values: ReadonlyMap<string, Tensor>): [string, Tensor][] =>
    names.flatMap((name): [string, Tensor][] => {
      const value = values.get(name);
      return value === undefined ? [] : [[prefix + name, value]];
    });
  return [
    ...names.flatMap((name) => slotsOf(identity, name).flatMap((slot, i): [string, Tensor][] => {
      const value = slots.get(name)?.[i];
      return value === undefined ? [] : [[slotName(slot, name), value]];
    })),
    ...inOrder(GRADIENT, gradients),
    ...inOrder(AVERAGE, averages),
    ...(carried === undefined ? [] : [[CARRIED, carried] satisfies [string, Tensor]]),
  ];
}

/** Bytes from which {@link decodeRun} continues exactly here. */
export async function encodeRun(identity: RunIdentity, state: RunState): Promise<Uint8Array> {
  const values = await readWeights(identity.weights);
  const tensors: StoredTensor[] = values.map((value) => ({ ...value, name: WEIGHT + value.name }));
  for (const [name, value] of namedTensors(identity, state)) tensors.push({ name, shape: [...value.shape], data: await value.data<'float32'>() });
  for (const entry of state.best ?? []) tensors.push({ ...entry, name: BEST + entry.name });
  const { epoch, step, updates, rows, tally, history } = state;
  const stored: StoredState = { epoch, step, updates: Object.fromEntries(updates), rows, tally, history };
  return encodeTensors({ tensors, metadata: { format: FORMAT, fingerprint: JSON.stringify(identity.fingerprint), state: JSON.stringify(stored) } });
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return undefined;
  }
}

/**
 * Sets weights and state from bytes of {@link encodeRun}, all or nothing.
 *
 * @throws CheckpointError if they are damaged, or belong to another model or run.
 */
export function decodeRun(identity: RunIdentity, bytes: Uint8Array): RunState {
  const { weights, averages, fingerprint } = identity;
  const fail = (what: string, remedy: string): never => {
    throw new CheckpointError(`train: ${what}. ${remedy}`);
  };
  const damaged = 'The checkpoint is damaged; delete it to start over.';
  const { tensors, metadata } = decodeTensors(bytes);
  if (metadata.format !== FORMAT) fail(`a checkpoint must have format '${FORMAT}', got '${metadata.format ?? ''}'`, 'It is no training checkpoint of this version.');
  const difference = firstDifference(parse(metadata.fingerprint) as Json | undefined, fingerprint);
  if (difference !== undefined) fail(`the checkpoint must be of this run, but ${difference}`, 'Restore the setting, use another checkpoint, or delete this one to start over.');
  const stored = parse(metadata.state);
  if (!isStoredState(stored)) return fail('the state must be complete', damaged);
  const { epoch, step, rows, tally, history } = stored;
  if (history.length !== epoch) fail(`the history must have ${epoch} epochs, got ${history.length}`, damaged);

  const byName = new Map(tensors.map((entry) => [entry.name, entry]));
  const valuesOf = (name: string, size?: number): Float32Array => {
    const data = byName.get(name)?.data;
    if (data instanceof Float32Array && (size === undefined || data.length === size)) return data;
    return fail(`'${name}' must have ${size ?? ''} float32 values`, damaged);
  };
  // Everything is checked before a tensor is made.
  const trainable = weights.filter(({ trainable: moved }) => moved);
  const updates = new Map(trainable.map(({ name }) => [name, stored.updates[name] ?? fail(`the state must count the updates of '${name}'`, damaged)]));
  const slotValues = trainable.map(({ name, variable }) => ({ name, shape: variable.shape, data: slotsOf(identity, name).map((slot) => valuesOf(slotName(slot, name), variable.size)) }));
  const summed = trainable.filter(({ name }) => byName.has(GRADIENT + name)).map(({ name, variable }) => ({ name, shape: variable.shape, data: valuesOf(GRADIENT + name, variable.size) }));
  const averaged = averages ? trainable.map(({ name, variable }) => ({ name, shape: variable.shape, data: valuesOf(AVERAGE + name, variable.size) })) : [];
  const carried = byName.has(CARRIED) ? { shape: byName.get(CARRIED)!.shape, data: valuesOf(CARRIED) } : undefined;
  const selected = bestEpoch(history) && weights.map(({ name, variable }): StoredTensor => ({ name, shape: [...variable.shape], data: valuesOf(BEST + name, variable.size) }));
  const values = tensors.filter(({ name }) => name.startsWith(WEIGHT)).map((entry) => ({ ...entry, name: entry.name.slice(WEIGHT.length) }));
  assignWeights('train', weights, values);
  return {
    epoch,
    step,
    rows,
    updates,
    slots: new Map(slotValues.map(({ name, shape, data }) => [name, data.map((slot) => tensor(slot, shape))])),
    averages: new Map(averaged.map(({ name, shape, data }) => [name, tensor(data, shape)])),
    gradients: new Map(summed.map(({ name, shape, data }) => [name, tensor(data, shape)])),
    carried: carried && tensor(carried.data, [...carried.shape]),
    tally,
    history: [...history],
    best: selected,
  };
}
