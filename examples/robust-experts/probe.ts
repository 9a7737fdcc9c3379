// What a finished model does with clean images: confusion, routing, other numbers of experts, and which pixels its gates look at.
import { type Batch, type Dataset, isMoeError, throwIfAborted } from '@moe/core';
import { logitsFn, moeModel, withTopK } from '@moe/layers';
import { toTensors } from '@moe/datasets';
import { writeJson } from '@moe/experiments';
import { coActivation } from '@moe/router';
import { argMax, dispose, tidy } from '@tensorflow/tfjs-core';
import { routedData } from './data.js';
import { finishedModel } from './finished-model.js';
import { sensitivityOf } from './gate-sensitivity.js';
import { files } from './jobs.js';
import type { Model } from './model.js';
import type { GateProbe, ProbeRecord } from './results.js';
import type { ModelName } from './schema.js';
import type { JobContext } from './train-model.js';

const BATCH = 100;
const BINS = 10;
/** Images whose gate scores are kept, for pictures of the gate's space. */
const KEPT_SCORES = 300;

async function* batchesOf(data: Dataset, signal: AbortSignal): AsyncGenerator<Batch> {
  for (let start = 0; start < data.length; start += BATCH) {
    throwIfAborted('probe', signal);
    yield data.read(Array.from({ length: Math.min(BATCH, data.length - start) }, (_, i) => start + i));
  }
}

/** Share right with k experts per image, for every k; empty where the router fixes it. */
async function accuracyByTopK({ network, view }: Model, data: Dataset, signal: AbortSignal): Promise<ProbeRecord['byTopK']> {
  const numExperts = Math.min(...view.moeLayers.map((layer) => layer.numExperts));
  const found: { topK: number; accuracy: number }[] = [];
  if (view.moeLayers.length === 0) return found;
  for (let topK = 1; topK <= numExperts; topK++) {
    let changed;
    try {
      changed = withTopK(network, topK);
    } catch (error) {
      // Some routers have no such option, or no K = 1.
      if (isMoeError(error)) continue;
      throw error;
    }
    const logits = logitsFn(moeModel(changed));
    let right = 0;
    for await (const batch of batchesOf(data, signal)) {
      const { inputs, labels } = toTensors(batch);
      const predicted = tidy(() => argMax(logits(inputs), 1).dataSync());
      right += Array.from(batch.labels).filter((label, i) => predicted[i] === label).length;
      dispose([inputs, labels]);
    }
    found.push({ topK, accuracy: right / data.length });
    changed.dispose();
  }
  return found;
}

interface Seen {
  readonly gates: number[][];
  readonly combine: number[];
  readonly scores: number[][];
}

const rows = (flat: ArrayLike<number>, width: number): number[][] => Array.from({ length: flat.length / width }, (_, i) => Array.from({ length: width }, (__, j) => flat[i * width + j]!));

function gateProbe(layer: string, { gates, combine, scores }: Seen, labels: readonly number[], numExperts: number): Omit<GateProbe, 'sensitivity'> {
  const histogram = Array.from({ length: numExperts }, (_, expert) => {
    const bins = Array.from({ length: BINS }, () => 0);
    for (const row of gates) bins[Math.min(BINS - 1, Math.floor(BINS * row[expert]!))]! += 1;
    return bins;
  });
  const kept = scores.slice(0, KEPT_SCORES).map((row) => row.map((value) => Number(value.toFixed(4))));
  return { layer, histogram, pairs: rows(coActivation(combine, numExperts), numExperts), logits: kept, labels: labels.slice(0, KEPT_SCORES) };
}

/** Counts everything over the test images. */
export async function probeModel(name: ModelName, context: JobContext): Promise<void> {
  const { config, folder, signal, onProgress } = context;
  const data = await routedData(config);
  const model = await finishedModel(name, context, data);
  const confusion = data.classNames.map(() => data.classNames.map(() => 0));
  const seen = new Map<string, Seen>();
  const labels: number[] = [];
  for await (const batch of batchesOf(data, signal)) {
    const { inputs, labels: targets } = toTensors(batch);
    tidy(() => {
      const { logits, routing } = model.view.forward(inputs);
      argMax(logits, 1).dataSync().forEach((predicted, i) => (confusion[batch.labels[i]!]![predicted]! += 1));
      for (const { layer, gates, combineWeights, gateLogits } of routing) {
        const width = gates.shape[1];
        const all = seen.get(layer) ?? { gates: [], combine: [], scores: [] };
        all.gates.push(...rows(gates.dataSync(), width));
        all.combine.push(...combineWeights.dataSync());
        all.scores.push(...rows(gateLogits.dataSync(), width));
        seen.set(layer, all);
      }
    });
    dispose([inputs, targets]);
    labels.push(...batch.labels);
    onProgress((0.5 * labels.length) / data.length, `probe ${name}`);
  }
  const record: ProbeRecord = {
    model: name,
    images: data.length,
    confusion,
    byTopK: await accuracyByTopK(model, data, signal),
    gates: await Promise.all([...seen].map(async ([layer, all]) => ({ ...gateProbe(layer, all, labels, all.gates[0]!.length), sensitivity: await sensitivityOf(model, layer, data, config) }))),
  };
  await writeJson(files.extra(folder, name, 'probe'), record);
  model.network.dispose();
}
