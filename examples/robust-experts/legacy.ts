// AutoPGD as the released code of Robust Experts scored it: crafted in evaluation mode, scored in training mode, on a network that every scored batch changes.
import { apgd } from '@moe/attacks';
import { type Rng, createRng, throwIfAborted } from '@moe/core';
import { toTensors } from '@moe/datasets';
import { writeJson } from '@moe/experiments';
import { type Tensor, type Tensor2D, argMax, cast, dispose, reshape, tidy, where } from '@tensorflow/tfjs-core';
import { attackedData } from './data.js';
import { finishedModel } from './finished-model.js';
import { files } from './jobs.js';
import type { Model } from './model.js';
import type { LegacyRecord } from './results.js';
import type { ModelName } from './schema.js';
import type { JobContext } from './train-model.js';

function countCorrect(logits: () => Tensor2D, labels: ArrayLike<number>): number {
  const predicted = tidy(() => argMax(logits(), 1).dataSync());
  return Array.from(labels).filter((label, i) => predicted[i] === label).length;
}

const inTraining = ({ view }: Model, images: Tensor, rng: Rng): Tensor2D => view.forward(images, { training: true, updateStatistics: true, rng }).logits;

/** Scores one model in batches of each size, from the trained weights each time. */
export async function legacyScores(name: ModelName, context: JobContext): Promise<void> {
  const { config, folder, signal, onProgress } = context;
  const { legacy, eps, apgdSteps } = config.evaluation;
  if (legacy === null) return;
  const data = await attackedData(config);
  const images = Math.min(legacy.images, data.length);
  const attack = apgd({ eps, steps: apgdSteps });
  const scores: LegacyRecord['scores'][number][] = [];
  for (const [done, batchSize] of legacy.batchSizes.entries()) {
    const model = await finishedModel(name, context, data);
    const logits = model.logits('gated');
    let [evaluated, trained] = [0, 0];
    for (let start = 0; start < images; start += batchSize) {
      throwIfAborted('legacyScores', signal);
      const batch = await data.read(Array.from({ length: Math.min(batchSize, images - start) }, (_, i) => start + i));
      const { inputs, labels } = toTensors(batch);
      const rng = createRng(config.seed).stream('legacy');
      const { adversarial, success, loss } = attack.perturb(logits, inputs, labels, { rng, exampleIds: batch.ids, signal });
      // The released attack returns the clean image where it fails.
      const scored = tidy(() => where(reshape(cast(success, 'bool'), [-1, 1, 1, 1]), adversarial, inputs));
      evaluated += countCorrect(() => logits(scored), batch.labels);
      trained += countCorrect(() => inTraining(model, scored, rng.at(start)), batch.labels);
      dispose([inputs, labels, adversarial, success, loss, scored]);
      onProgress((done + start / images) / legacy.batchSizes.length, `legacy scores of ${name}, batches of ${batchSize}`);
      // Lets an interrupt in.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    scores.push({ batchSize, evaluationMode: evaluated / images, trainingMode: trained / images });
    model.network.dispose();
  }
  await writeJson(files.extra(folder, name, 'legacy'), { model: name, images, scores } satisfies LegacyRecord);
}
