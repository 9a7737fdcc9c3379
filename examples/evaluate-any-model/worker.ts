// One part of the work, in a thread of its own or in the main one.
import { BroadcastChannel, isMainThread } from 'node:worker_threads';
import { type Diagnosis, type Evaluation, diagnose, evaluate } from '@moe/attacks';
import { fileState } from '@moe/attacks/node';
import { useBackend } from '@moe/backend';
import type { Dataset } from '@moe/core';
import { attacksOf } from './attacks.js';
import { chosenImages, loadData } from './load-data.js';
import { type LoadedModel, loadModel } from './load-model.js';
import type { Options, Settings } from './options.js';

/** A shard of the evaluation, or the diagnosis. */
export interface Task {
  readonly settings: Settings;
  readonly engine: Options['engine'];
  /** Where an evaluation keeps what it has learnt. */
  readonly state: string;
  /** `'i/n'`, or undefined for the diagnosis. */
  readonly shard: string | undefined;
  /** Threads tell how far they are over this channel. */
  readonly channel: string;
}

export interface Part {
  readonly evaluation?: Evaluation;
  readonly diagnosis?: Diagnosis;
}

/** How far a task is, in [0, 1]. */
export interface Report {
  readonly task: string;
  readonly fraction: number;
  readonly text: string;
}

const DIAGNOSED = 16;
const BATCH = 16;

interface Loaded {
  readonly model: LoadedModel;
  readonly twin: LoadedModel | undefined;
  readonly data: Dataset;
}

async function load(settings: Settings, engine: Options['engine']): Promise<Loaded> {
  await useBackend(engine);
  const model = await loadModel(settings.model, settings);
  const twin = settings.twin === undefined ? undefined : await loadModel(settings.twin, settings);
  return { model, twin, data: await loadData(settings, model.shape) };
}

/** Models are loaded once a thread. */
const loaded = new Map<string, Promise<Loaded>>();

export function loadOnce(settings: Settings, engine: Options['engine']): Promise<Loaded> {
  const key = JSON.stringify(settings);
  const found = loaded.get(key) ?? load(settings, engine);
  loaded.set(key, found);
  return found;
}

/** Runs a task; a `signal` can be given in the main thread only, other threads are ended. */
export default async function runTask({ settings, engine, state, shard, channel }: Task, signal?: AbortSignal, tell?: (report: Report) => void): Promise<Part> {
  const { model, twin, data } = await loadOnce(settings, engine);
  const { eps, norm, seed } = settings;
  const port = isMainThread ? undefined : new BroadcastChannel(channel);
  const report = (fraction: number, text: string): void => {
    const sent: Report = { task: shard ?? 'diagnosis', fraction, text };
    tell?.(sent);
    port?.postMessage(sent);
  };
  const stop = signal instanceof AbortSignal ? { signal } : {};
  try {
    if (shard === undefined) {
      const onProgress = (done: number, total: number, name: string): void => report(done / total, `experiment: ${name}`);
      return { diagnosis: await diagnose({ model: model.logits, data, eps, norm, seed, examples: DIAGNOSED, modelId: model.id, onProgress, ...(twin === undefined ? {} : { twin: twin.logits }), ...stop }) };
    }
    const evaluation = await evaluate({
      model: model.logits,
      data,
      attacks: attacksOf(settings),
      seed,
      indices: chosenImages(settings, data.length),
      shard,
      batchSize: BATCH,
      modelId: model.id,
      state: fileState(state),
      onEvent: ({ fraction, attack }) => report(fraction, `attack: ${attack ?? 'none'}`),
      ...stop,
    });
    return { evaluation };
  } finally {
    port?.close();
  }
}
