import { tensor } from '@tensorflow/tfjs-core';
import { CheckpointError, type Weight } from '@moe/core';
import type { Optimizer } from '../optimizers/optimizer.js';
import { type Json, firstDifference } from './fingerprint.js';
import { type RunState, isStoredState } from './run-state.js';
import { type StoredTensor, decodeTensors, encodeTensors } from './tensor-file.js';
import { assignWeights, readWeights } from './weights.js';

const FORMAT = 'moe-train-1';
const WEIGHT = 'weight/';
const slotName = (slot: string, weight: string): string => `optimizer/${slot}/${weight}`;

/** What a checkpoint belongs to. */
export interface RunIdentity {
  readonly weights: readonly Weight[];
  readonly optimizer: Optimizer;
  /** Everything that decides the course of the run. */
  readonly fingerprint: Json;
}

/** Bytes from which {@link decodeRun} continues exactly here. */
export async function encodeRun({ weights, optimizer, fingerprint }: RunIdentity, state: RunState): Promise<Uint8Array> {
  const values = await readWeights(weights);
  const tensors: StoredTensor[] = values.map((value) => ({ ...value, name: WEIGHT + value.name }));
  for (const { name, shape } of values) {
    for (const [i, slot] of (state.slots.get(name) ?? []).entries()) {
      tensors.push({ name: slotName(optimizer.slots[i]!, name), shape, data: await slot.data<'float32'>() });
    }
  }
  const { epoch, step, updates, tally, history } = state;
  const stored = { epoch, step, updates: Object.fromEntries(updates), tally, history };
  return encodeTensors({ tensors, metadata: { format: FORMAT, fingerprint: JSON.stringify(fingerprint), state: JSON.stringify(stored) } });
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
export function decodeRun({ weights, optimizer, fingerprint }: RunIdentity, bytes: Uint8Array): RunState {
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
  const { epoch, step, tally, history } = stored;
  if (history.length !== epoch) fail(`the history must have ${epoch} epochs, got ${history.length}`, damaged);

  const byName = new Map(tensors.map((entry) => [entry.name, entry]));
  const slotValues = new Map<string, Float32Array[]>();
  const updates = new Map<string, number>();
  const shapes = new Map(weights.map(({ name, variable }) => [name, variable.shape]));
  for (const { name, trainable, variable } of weights) {
    if (!trainable) continue;
    updates.set(name, stored.updates[name] ?? fail(`the state must count the updates of '${name}'`, damaged));
    slotValues.set(
      name,
      optimizer.slots.map((slot) => {
        const data = byName.get(slotName(slot, name))?.data;
        if (!(data instanceof Float32Array) || data.length !== variable.size) return fail(`'${slotName(slot, name)}' must have ${variable.size} float32 values`, damaged);
        return data;
      }),
    );
  }
  const values = tensors.filter(({ name }) => name.startsWith(WEIGHT)).map((entry) => ({ ...entry, name: entry.name.slice(WEIGHT.length) }));
  assignWeights('train', weights, values);
  const slots = new Map([...slotValues].map(([name, data]) => [name, data.map((slot) => tensor(slot, shapes.get(name)))]));
  return { epoch, step, updates, slots, tally, history: [...history] };
}
