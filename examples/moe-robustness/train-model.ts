import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { adamW, cosine, loadWeights, saveWeights, standard, train, vmoeAdversarialFineTuning } from '@moe/adv-train';
import { fileCheckpoint } from '@moe/adv-train/node';
import { createRng } from '@moe/core';
import { writeFileAtomic } from '@moe/core/node';
import { batches, randomHorizontalFlip } from '@moe/datasets';
import { writeJson } from '@moe/experiments';
import { modelWeights } from '@moe/layers';
import { trainingData } from './data.js';
import { files } from './files.js';
import { type Model, buildModel } from './model.js';
import { type Config, ROWS, runName } from './protocol.js';
import type { TrainingRecord } from './records.js';

export interface Context {
  /** Holds a folder for each run. */
  readonly out: string;
  readonly signal: AbortSignal;
  readonly onProgress: (fraction: number, text: string) => void;
}

/** The configuration of the run whose weights are fine-tuned. */
function baseOf(config: Config): Config {
  return { ...config, row: ROWS.find(({ name }) => name === config.row.from)! };
}

/** Trains a model, or fine-tunes another adversarially, continuing where it stopped; does nothing if it is finished. */
export async function trainModel(config: Config, context: Context): Promise<void> {
  const { row, seed } = config;
  const folder = files.folder(context.out, runName(row.name, seed));
  if (existsSync(files.training(folder))) return;
  const model = buildModel(config);
  const weights = modelWeights(model.network);
  if (row.from !== null) {
    await trainModel(baseOf(config), context);
    loadWeights(weights, await readFile(files.weights(files.folder(context.out, runName(row.from, seed)))));
  }
  const data = await trainingData(config);
  const { fineTuning } = config;
  const { batchSize } = config.training;
  const { epochs, learningRate: base } = row.from === null ? config.training : fineTuning;
  const batchesPerEpoch = Math.ceil(data.length / batchSize);
  const rng = createRng(seed).stream('data/order');
  const { history } = await train({
    model: model.view,
    weights,
    data: (epoch) => batches(data, { batchSize, rng, epoch, augment: [randomHorizontalFlip()] }),
    batchesPerEpoch,
    epochs,
    // Pixels are in [0, 1], where the released code would leave their range.
    objective: row.from === null ? standard() : vmoeAdversarialFineTuning({ eps: fineTuning.eps, steps: fineTuning.steps, variant: 'fixed' }),
    optimizer: adamW({ weightDecay: config.training.weightDecay }),
    schedule: cosine({ base, min: 0, warmupEpochs: epochs > 2 ? 1 : 0, per: 'step' }),
    clipNorm: 1,
    seed,
    identity: { row: row.name, data: data.name },
    checkpoint: fileCheckpoint(files.checkpoint(folder)),
    checkpointEvery: batchesPerEpoch,
    signal: context.signal,
    onEvent: (event) => {
      if (event.type === 'step') context.onProgress((event.epoch * batchesPerEpoch + event.step + 1) / (epochs * batchesPerEpoch), `train ${row.name}, epoch ${event.epoch + 1} of ${epochs}, loss ${event.loss.toFixed(2)}`);
    },
  });
  await writeFileAtomic(files.weights(folder), await saveWeights(weights));
  const record: TrainingRecord = { parameters: model.parameters, macs: model.macs, history };
  await writeJson(files.training(folder), record);
  model.network.dispose();
}

/** A finished model; dispose its network. */
export async function finishedModel(config: Config, out: string): Promise<Model> {
  const model = buildModel(config);
  loadWeights(modelWeights(model.network), await readFile(files.weights(files.folder(out, runName(config.row.name, config.seed)))));
  return model;
}
