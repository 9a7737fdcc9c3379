// Shapes: B batch, H W pixels, C channels, M classes.
import { crossEntropy, sgd } from '@moe/adv-train';
import { pgd } from '@moe/attacks';
import { jit } from '@moe/backend';
import { connectCluster } from '@moe/backend/node';
import { createRng } from '@moe/core';
import { logitsFn, modelWeights, moeModel } from '@moe/layers';
import {
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  add,
  conv2d,
  dispose,
  matMul,
  maxPool,
  neg,
  ones,
  relu,
  reshape,
  tensor,
  tensor1d,
  tidy,
  valueAndGrads,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { type Sequential, layers, sequential } from '@tensorflow/tfjs-layers';
import { steppedTraining } from '../pytorch/training.js';

const BATCH = 8;
const IMAGES = [BATCH, 12, 12, 1] as const;
const CLASSES = 10;
const FILTERS = 8;
/** Pixels per side after the pooling. */
const POOLED = 6;

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

/** The step of `train`, run as it comes. */
function eagerTraining(): Subject {
  const model = network();
  const batch = { inputs: images(), labels: labels(), ids: labels(), shape: IMAGES };
  return { step: steppedTraining(moeModel(model), modelWeights(model), batch) };
}

/** A step of training with momentum in one call; new weights replace the old. */
function compiledTraining(): Subject {
  const rng = createRng(3);
  const shapes = [[3, 3, 1, FILTERS], [FILTERS], [POOLED * POOLED * FILTERS, CLASSES], [CLASSES]];
  let weights = shapes.map((shape) => tensor(rng.normal(shape.reduce((a, b) => a * b), 0, 0.1), shape));
  let momenta: Tensor[] = weights.map((weight) => zerosLike(weight));
  const [x, y] = [inputs(), targets()];
  const optimizer = sgd({ momentum: 0.9 });
  const logits = ([filter, shift, kernel, bias]: readonly Tensor[], t: Tensor): Tensor2D => {
    const pooled = maxPool(relu(add(conv2d(t as Tensor4D, filter as Tensor4D, 1, 'same'), shift as Tensor1D)) as Tensor4D, 2, 2, 'valid');
    return add(matMul(reshape(pooled, [BATCH, POOLED * POOLED * FILTERS]), kernel as Tensor2D), bias as Tensor1D);
  };
  const train = jit((w: readonly Tensor[], m: readonly Tensor[], t: Tensor) => {
    const { value, grads } = valueAndGrads((...args: Tensor[]) => crossEntropy(logits(args, t), y))([...w]);
    const updates = w.map((weight, i) => optimizer.update(weight, grads[i]!, [m[i]!], { learningRate: 1e-3, updates: 0 }));
    return { value, weights: updates.map((update) => update.weight), momenta: updates.map(({ slots }) => slots[0]!) };
  });
  const step = (): void => {
    const { value, weights: moved, momenta: filled } = train(weights, momenta, x);
    dispose([value, ...weights, ...momenta]);
    [weights, momenta] = [moved, filled];
  };
  return { step };
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

export const SUBJECTS = { 'train-step': eagerTraining, 'train-step-jit': compiledTraining, 'pgd-step': attack, 'layers-train-on-batch': fit, 'all-reduce': exchange } as const;

export type SubjectName = keyof typeof SUBJECTS;
