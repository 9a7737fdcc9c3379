// Shapes: B batch, H W pixels, C channels, M classes.
import { pgd } from '@moe/attacks';
import { jit } from '@moe/backend';
import { connectCluster } from '@moe/backend/node';
import { type Compile, createRng } from '@moe/core';
import { logitsFn, modelWeights, moeModel } from '@moe/layers';
import { type Tensor, type Tensor1D, dispose, neg, ones, tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';
import { type Sequential, layers, sequential } from '@tensorflow/tfjs-layers';
import { steppedTraining } from '../pytorch/training.js';

const BATCH = 8;
const IMAGES = [BATCH, 12, 12, 1] as const;
const CLASSES = 10;
const FILTERS = 8;

/** What is repeated; `close` comes after the last time. */
interface Subject {
  readonly step: () => unknown;
  readonly close?: () => Promise<void>;
}

const images = (): Float32Array => createRng(1).uniform(BATCH * IMAGES[1] * IMAGES[2]);
const labels = (): Int32Array => createRng(2).integers(BATCH, CLASSES);
const inputs = (): Tensor => tensor(images(), [...IMAGES]);
const targets = (): Tensor1D => tensor1d(labels(), 'int32');

/** Convolution, batch norm, ReLU, pooling and a linear layer, with the layers of tfjs. */
function network(): Sequential {
  const kernelInitializer = 'heNormal';
  return sequential({
    layers: [
      layers.conv2d({ inputShape: IMAGES.slice(1), filters: FILTERS, kernelSize: 3, padding: 'same', kernelInitializer, name: 'conv' }),
      layers.batchNormalization({ name: 'norm' }),
      layers.activation({ activation: 'relu', name: 'relu' }),
      layers.maxPooling2d({ poolSize: 2, name: 'pool' }),
      layers.flatten({ name: 'flat' }),
      layers.dense({ units: CLASSES, name: 'dense' }),
    ],
  });
}

/** The step of `train`, run as it comes or in one call. */
function training(compile?: Compile): Subject {
  const model = network();
  const batch = { inputs: images(), labels: labels(), ids: labels(), shape: IMAGES };
  return { step: steppedTraining(moeModel(model), modelWeights(model), batch, compile) };
}

/** One step of projected gradient descent from a random start. */
function attack(): Subject {
  const model = logitsFn(moeModel(network()));
  const [x, y] = [inputs(), targets()];
  const { perturb } = pgd({ eps: 0.1, stepSize: 0.1, steps: 1 });
  return { step: () => dispose(Object.values(perturb(model, x, y, { rng: createRng(1) }))) };
}

/** The step of `LayersModel.fit`, whose gradients wait until they are used; the gradient of the first input is never. */
function fit(): Subject {
  const model = network();
  model.add(layers.softmax({ name: 'softmax' }));
  model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
  const [x, y] = [inputs(), tensor1d(Float32Array.from(labels()))];
  return { step: () => model.trainOnBatch(x, y) };
}

/** The mean over the workers that `TF_CONFIG` names. */
async function exchange(): Promise<Subject> {
  const cluster = await connectCluster({ timeoutSeconds: 120 });
  // Results of the engine, as gradients are.
  const gradients = tidy(() => ({ kernel: neg(ones([100, 100])), bias: neg(ones([100])) }));
  return { step: async () => dispose(await cluster.allReduce(gradients, 'mean')), close: cluster.close };
}

export const SUBJECTS = { 'train-step': () => training(), 'train-step-jit': () => training(jit), 'pgd-step': attack, 'layers-train-on-batch': fit, 'all-reduce': exchange } as const;

export type SubjectName = keyof typeof SUBJECTS;
