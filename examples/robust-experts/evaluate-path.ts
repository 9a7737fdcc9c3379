import { readFile } from 'node:fs/promises';
import { loadWeights } from '@moe/adv-train';
import { apgd, evaluate, pgd } from '@moe/attacks';
import { fileState } from '@moe/attacks/node';
import { type Dataset, createRng } from '@moe/core';
import { toTensors } from '@moe/datasets';
import { writeJson } from '@moe/experiments';
import { classByExpert, expertUsage } from '@moe/router';
import { argMax, dispose, getBackend, tidy } from '@tensorflow/tfjs-core';
import { attackedData, routedData } from './data.js';
import { type RoutePath, files, pathLabel } from './jobs.js';
import { type Model, buildModel } from './model.js';
import type { ExampleImage, PathRecord, RoutingRecord } from './results.js';
import type { Config, ModelName } from './schema.js';
import type { JobContext } from './train-model.js';

const SHOWN_IMAGES = 6;
const ROUTING_BATCH = 100;

/** PGD-20 with a random start and AutoPGD-20, Robust Experts, Sec. 4, and PGD-20 from the image itself, as in its fixed-expert evaluation; the step rules are those of the packages' defaults at this number of steps. */
function attacksOf({ evaluation: { eps, pgdSteps, apgdSteps } }: Config) {
  return { pgd: pgd({ eps, steps: pgdSteps, start: 'uniform' }), apgd: apgd({ eps, steps: apgdSteps }), fromImage: pgd({ eps, steps: pgdSteps, start: 'none', label: 'from image' }) };
}

/** Sends clean test images through the gates and counts where they go. */
async function routingOf(model: Model, data: Dataset, numExperts: number): Promise<RoutingRecord[]> {
  const numClasses = data.classNames.length;
  const weights = new Map<string, number[]>();
  const labels: number[] = [];
  for (let start = 0; start < data.length; start += ROUTING_BATCH) {
    const batch = await data.read(Array.from({ length: Math.min(ROUTING_BATCH, data.length - start) }, (_, i) => start + i));
    labels.push(...batch.labels);
    tidy(() => {
      for (const { layer, combineWeights } of model.view.forward(toTensors(batch).inputs).routing) {
        weights.set(layer, [...(weights.get(layer) ?? []), ...combineWeights.dataSync()]);
      }
    });
  }
  return [...weights].map(([layer, combineWeights]) => {
    const matrix = Array.from(classByExpert(combineWeights, labels, { numExperts, numClasses }));
    return {
      layer,
      images: data.length,
      share: Array.from(expertUsage(combineWeights, numExperts).share),
      classByExpert: data.classNames.map((_, label) => matrix.slice(label * numExperts, (label + 1) * numExperts)),
    };
  });
}

/** Image `index` of a batch, in 8 bits, as base64. */
const pixels = (batch: ArrayLike<number>, index: number, size: number): string => Buffer.from(Array.from({ length: size }, (_, i) => Math.round(255 * batch[index * size + i]!))).toString('base64');

/** One image of each of the first classes, with its version under PGD. */
async function examplesOf(model: Model, data: Dataset, config: Config): Promise<ExampleImage[]> {
  const { labels } = await data.read(Array.from({ length: data.length }, (_, i) => i));
  const chosen = data.classNames.flatMap((_, label) => (labels.includes(label) ? [labels.indexOf(label)] : [])).slice(0, SHOWN_IMAGES);
  const batch = await data.read(chosen);
  const logits = model.logits('gated');
  const { inputs, labels: targets } = toTensors(batch);
  const { adversarial, success, loss } = attacksOf(config).pgd.perturb(logits, inputs, targets, { rng: createRng(config.seed).stream('examples'), exampleIds: batch.ids });
  const [before, after] = [inputs, adversarial].map((images) => tidy(() => argMax(logits(images), 1).dataSync()));
  const [clean, attacked] = [batch.inputs, adversarial.dataSync()];
  const size = clean.length / chosen.length;
  dispose([inputs, targets, adversarial, success, loss]);
  return chosen.map((_, i) => ({
    label: batch.labels[i]!,
    cleanPrediction: before![i]!,
    adversarialPrediction: after![i]!,
    clean: pixels(clean, i, size),
    adversarial: pixels(attacked, i, size),
  }));
}

/** Attacks one path of a trained model, each attack made against that very path, continuing from its state file if there is one. */
export async function evaluatePath(name: ModelName, path: RoutePath, { config, folder, signal, onProgress }: JobContext): Promise<void> {
  const data = await attackedData(config);
  const model = buildModel(name, config, data);
  loadWeights(model.weights, await readFile(files.weights(folder, name)));
  const attacks = attacksOf(config);
  const label = `attack ${name}${name === 'dense' ? '' : `, ${pathLabel(path)}`}`;

  const evaluation = await evaluate({
    model: model.logits(path),
    modelId: `${name}/${path}`,
    data,
    attacks: [attacks.pgd, attacks.apgd, ...(config.evaluation.bothStarts ? [attacks.fromImage] : [])],
    seed: config.seed,
    batchSize: config.evaluation.batchSize,
    state: fileState(files.state(folder, name, path)),
    signal,
    onEvent: ({ done, total, attack, robustSoFar }) => {
      const withinBatch = attack === attacks.apgd.name ? 0.5 : 0;
      const fraction = Math.min(1, (done + withinBatch * config.evaluation.batchSize) / total);
      onProgress(fraction, `${label}: ${attack ?? 'clean'}${done > 0 ? `, ${(100 * robustSoFar).toFixed(0)} % right so far` : ''}`);
    },
  });

  const record: PathRecord = {
    model: name,
    path,
    images: data.length,
    engine: getBackend(),
    clean: evaluation.flags.clean,
    pgd: evaluation.flags.robust[attacks.pgd.name]!,
    apgd: evaluation.flags.robust[attacks.apgd.name]!,
    ...(config.evaluation.bothStarts ? { pgdFromImage: evaluation.flags.robust[attacks.fromImage.name]! } : {}),
    trust: evaluation.trust,
    findings: evaluation.findings.map(({ message, advice }) => `${message} ${advice}`),
    ...(path === 'gated' ? { routing: await routingOf(model, await routedData(config), config.moe.numExperts), examples: await examplesOf(model, data, config) } : {}),
  };
  await writeJson(files.evaluation(folder, name, path), record);
  model.network.dispose();
}
