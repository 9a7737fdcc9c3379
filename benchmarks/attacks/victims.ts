// Shapes: B batch, H W pixels, C channels.
import { join } from 'node:path';
import { pgdAdversarial, piecewise, plainModel, sgd, train } from '@moe/adv-train';
import { fileCheckpoint } from '@moe/adv-train/node';
import { pgd } from '@moe/attacks';
import { jit } from '@moe/backend';
import { type Dataset, type LogitsFn, type MoeModel, type Weight, createRng } from '@moe/core';
import { batches } from '@moe/datasets';
import { fashionMnist, imageFolder, sharpDecoder } from '@moe/datasets/node';
import { logitsFn, modelWeights, moeModel, resnet } from '@moe/layers';
import { variable } from '@tensorflow/tfjs-core';
import sharp from 'sharp';
import { freshWeights, logitsOf } from '../pytorch/cnn28.js';
import type { NamedTensor } from '../pytorch/subject.js';

const BATCH = 128;
const IMAGES = 200;

/** A network that somebody wants to fool, with the images to do it on. */
export interface Victim {
  readonly model: LogitsFn;
  readonly weights: readonly NamedTensor[];
  /** `[B,H,W,C]` in [0, 1]. */
  readonly images: Float32Array;
  readonly imageShape: readonly [number, number, number, number];
  readonly labels: Int32Array;
}

interface Recipe {
  readonly make: () => { model: MoeModel; weights: readonly Weight[] };
  readonly data: (split: 'train' | 'test') => Promise<Dataset>;
  /** Radius, L-inf, that it is trained against. */
  readonly eps: number;
  readonly epochs: number;
}

function cnn28(): { model: MoeModel; weights: readonly Weight[] } {
  const weights = freshWeights(createRng(1)).map(([name, weight]) => ({ name, variable: variable(weight), trainable: true }));
  return { model: plainModel((images) => logitsOf(weights.map((weight) => weight.variable), images)), weights };
}

function resnet18(): { model: MoeModel; weights: readonly Weight[] } {
  const network = resnet({ depth: 18, width: 16, stem: 'cifar', classes: 10, inputShape: [32, 32, 3], seed: 1 });
  return { model: moeModel(network), weights: modelWeights(network) };
}

/** Networks by the names of the rows; `root` holds CIFAR-10 as folders `train` and `test`. */
const recipes = (root: string): Readonly<Record<string, Recipe>> => ({
  cnn28: { make: cnn28, data: (split) => fashionMnist({ split }), eps: 0.1, epochs: 8 },
  resnet18: { make: resnet18, data: (split) => imageFolder(join(root, split), { decode: sharpDecoder(sharp), name: 'CIFAR-10', split }), eps: 4 / 255, epochs: 5 },
});

/** Trains a network against PGD with two steps for a few minutes, once: it is kept in a folder. */
export async function trainedVictim(name: string, folder: string, root: string): Promise<Victim> {
  const recipe = recipes(root)[name];
  if (recipe === undefined) throw new Error(`attacks: no victim is called ${name}.`);
  const { make, data, eps, epochs } = recipe;
  const { model, weights } = make();
  const [images, test] = await Promise.all([data('train'), data('test')]);
  // Of more images, a fifth is enough.
  const batchesPerEpoch = Math.floor(Math.min(images.length, 10_240) / BATCH);
  await train({
    model,
    weights,
    data: (epoch) => batches(images, { batchSize: BATCH, rng: createRng(5), epoch }),
    batchesPerEpoch,
    epochs,
    objective: pgdAdversarial({ attack: pgd({ eps, steps: 2, stepSize: 0.75 * eps, goal: 'maxLoss', compile: jit }), batchNorm: 'running' }),
    optimizer: sgd({ momentum: 0.9 }),
    schedule: piecewise({ base: 0.05, milestones: [epochs - 1] }),
    seed: 1,
    checkpoint: fileCheckpoint(join(folder, `${name}.safetensors`)),
  });
  const shown = await test.read(Array.from({ length: IMAGES }, (_, i) => Math.floor((i * test.length) / IMAGES)));
  const named = weights.map(({ name: weight, variable: value }) => ({ name: weight, shape: value.shape, values: value.dataSync() as Float32Array }));
  return { model: logitsFn(model), weights: named, images: shown.inputs, imageShape: shown.shape as Victim['imageShape'], labels: shown.labels };
}
