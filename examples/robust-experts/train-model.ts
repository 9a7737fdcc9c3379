import { loadWeights, observeRouting, saveWeights, train } from '@moe/adv-train';
import { fileCheckpoint, tensorBoardEvents } from '@moe/adv-train/node';
import { createRng } from '@moe/core';
import { writeFileAtomic } from '@moe/core/node';
import { batches } from '@moe/datasets';
import { writeJson } from '@moe/experiments';
import type { Config, ModelName } from './schema.js';
import { augmentations, trainingData } from './data.js';
import { files, isDense } from './jobs.js';
import { lipschitzBounds } from './lipschitz.js';
import { buildModel } from './model.js';
import { objectiveOf } from './objective.js';
import { averagingOf, epochsOf, optimizerOf, scheduleOf } from './recipe.js';
import type { TrainingRecord } from './results.js';

export interface JobContext {
  readonly config: Config;
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly onProgress: (fraction: number, text: string) => void;
  readonly log: (text: string) => void;
}

/** Trains one model, continuing from its checkpoint if there is one. */
export async function trainModel(name: ModelName, { config, folder, signal, onProgress, log }: JobContext): Promise<void> {
  const data = await trainingData(config);
  const { batchSize, telemetry } = config.training;
  const epochs = epochsOf(config);
  const model = buildModel(name, config, data);
  const rng = createRng(config.seed).stream('data/order');
  const augment = augmentations(config);
  const batchesPerEpoch = Math.ceil(data.length / batchSize);
  const observers = isDense(name) || telemetry === null ? {} : { observers: [observeRouting({ data, eps: config.evaluation.eps, limit: Math.min(telemetry, data.length), seed: config.seed })] };
  const board = tensorBoardEvents(files.board(folder, name));

  const { history, averaged } = await train({
    model: model.view,
    weights: model.weights,
    data: (epoch) => batches(data, { batchSize, rng, epoch, augment }),
    batchesPerEpoch,
    epochs,
    objective: objectiveOf(name, config),
    optimizer: optimizerOf(config),
    schedule: scheduleOf(config),
    ...averagingOf(config),
    ...observers,
    seed: config.seed,
    identity: { model: name, data: data.name, network: config.network, moe: config.moe },
    checkpoint: fileCheckpoint(files.checkpoint(folder, name)),
    checkpointEvery: Math.max(1, Math.ceil(batchesPerEpoch / 4)),
    signal,
    onEvent: async (event) => {
      if (event.type === 'step') onProgress((event.epoch * batchesPerEpoch + event.step + 1) / (epochs * batchesPerEpoch), `train ${name}, epoch ${event.epoch + 1} of ${epochs}, loss ${event.loss.toFixed(2)}`);
      if (event.type === 'alarm') log(`${name}: ${event.finding.kind} in ${event.finding.layer} in epoch ${event.epoch + 1}`);
      if (event.type === 'epoch') log(`${name}: epoch ${event.record.epoch + 1} of ${epochs}, loss ${event.record.loss.toFixed(3)}, accuracy under the training attack ${(100 * event.record.accuracy).toFixed(1)} %`);
      await board(event);
    },
  });

  if (averaged !== undefined) loadWeights(model.weights, averaged);
  await writeFileAtomic(files.weights(folder, name), await saveWeights(model.weights));
  const moeLayers = model.view.moeLayers.map((layer) => layer.name);
  const record: TrainingRecord = { model: name, parameters: model.parameters, macs: model.macs, moeLayers, lipschitz: lipschitzBounds(name, config, model.network, moeLayers.length), history };
  await writeJson(files.training(folder, name), record);
  model.network.dispose();
}
