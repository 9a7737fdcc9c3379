import { cosine, pgdAdversarial, saveWeights, sgd, standard, train } from '@moe/adv-train';
import { fileCheckpoint } from '@moe/adv-train/node';
import { pgd } from '@moe/attacks';
import { jit } from '@moe/backend';
import { createRng } from '@moe/core';
import { writeFileAtomic } from '@moe/core/node';
import { batches, randomCrop, randomHorizontalFlip } from '@moe/datasets';
import type { Config, ModelName } from './config.js';
import { trainingData } from './data.js';
import { files, isDense } from './jobs.js';
import { lipschitzBounds } from './lipschitz.js';
import { buildModel } from './model.js';
import type { TrainingRecord } from './results.js';
import { writeJson } from './run-folder.js';

export interface JobContext {
  readonly config: Config;
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly onProgress: (fraction: number, text: string) => void;
  readonly log: (text: string) => void;
}

/** Madry's adversarial training (arXiv 1706.06083) with the attack of the configuration; standard training at eps 0. */
function objective(name: ModelName, { training: { eps, steps, batchNorm } }: Config) {
  if (eps === 0) return standard();
  // Gates are read on the host, and the other modes of batch norm write running statistics or draw noise. Evaluations are not compiled: their batches shrink, and each size would be anew.
  const compiled = isDense(name) && batchNorm === 'running' ? { compile: jit } : {};
  return pgdAdversarial({ attack: pgd({ eps, steps, stepSize: (2.5 * eps) / steps, start: 'uniform', goal: 'maxLoss', ...compiled }), batchNorm });
}

/** Trains one model, continuing from its checkpoint if there is one. */
export async function trainModel(name: ModelName, { config, folder, signal, onProgress, log }: JobContext): Promise<void> {
  const data = await trainingData(config);
  const { batchSize, epochs, learningRate, weightDecay } = config.training;
  const model = buildModel(name, config, data);
  const rng = createRng(config.seed).stream('data/order');
  const padding = config.data.augmentPadding;
  const augment = padding === null ? [] : [randomCrop({ padding }), randomHorizontalFlip()];
  const batchesPerEpoch = Math.ceil(data.length / batchSize);

  const { history } = await train({
    model: model.view,
    weights: model.weights,
    data: (epoch) => batches(data, { batchSize, rng, epoch, augment }),
    batchesPerEpoch,
    epochs,
    objective: objective(name, config),
    optimizer: sgd({ momentum: 0.9, nesterov: true, weightDecay }),
    schedule: cosine({ base: learningRate, min: 0, per: 'step' }),
    seed: config.seed,
    identity: { model: name, data: data.name, network: config.network, moe: config.moe },
    checkpoint: fileCheckpoint(files.checkpoint(folder, name)),
    checkpointEvery: Math.max(1, Math.ceil(batchesPerEpoch / 4)),
    signal,
    onEvent: (event) => {
      if (event.type === 'step') onProgress((event.epoch * batchesPerEpoch + event.step + 1) / (epochs * batchesPerEpoch), `train ${name}, epoch ${event.epoch + 1} of ${epochs}, loss ${event.loss.toFixed(2)}`);
      if (event.type === 'epoch') log(`${name}: epoch ${event.record.epoch + 1} of ${epochs}, loss ${event.record.loss.toFixed(3)}, accuracy under the training attack ${(100 * event.record.accuracy).toFixed(1)} %`);
    },
  });

  await writeFileAtomic(files.weights(folder, name), await saveWeights(model.weights));
  const moeLayers = model.view.moeLayers.map((layer) => layer.name);
  const record: TrainingRecord = { model: name, parameters: model.parameters, macs: model.macs, moeLayers, lipschitz: lipschitzBounds(model.network, moeLayers.length), history };
  await writeJson(files.training(folder, name), record);
  model.network.dispose();
}
