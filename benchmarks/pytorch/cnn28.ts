// Shapes: B batch, H W pixels, C channels, M classes.
import { pgd } from '@moe/attacks';
import { plainModel } from '@moe/adv-train';
import { type LogitsFn, type Weight, createRng } from '@moe/core';
import { Reduction, type Tensor, type Tensor2D, type Tensor4D, add, conv2d, dispose, grad, losses, matMul, maxPool, oneHot, relu, reshape, tensor, tensor1d, tidy, variable } from '@tensorflow/tfjs-core';
import type { Subject } from './subject.js';
import { steppedTraining } from './training.js';

const BATCH = 128;
const CLASSES = 10;
const ATTACK = { eps: 0.1, stepSize: 0.025 };
const SHAPES: Readonly<Record<string, number[]>> = {
  'conv1/kernel': [3, 3, 1, 16],
  'conv1/bias': [16],
  'conv2/kernel': [3, 3, 16, 32],
  'conv2/bias': [32],
  'fc/kernel': [7 * 7 * 32, CLASSES],
  'fc/bias': [CLASSES],
};

function freshWeights(): Weight[] {
  return Object.entries(SHAPES).map(([name, shape]) => {
    const size = shape.reduce((product, side) => product * side, 1);
    const fanIn = size / (shape.at(-1) ?? 1);
    const values = createRng(1).stream(name).normal(size, 0, shape.length === 1 ? 0.1 : Math.sqrt(2 / fanIn));
    return { name, variable: tidy(() => variable(tensor(values, shape))), trainable: true };
  });
}

/** Two convolutions with bias, ReLU and 2x2 maximum pooling, then one linear layer: images `[B,28,28,1]` → logits `[B,10]`. */
function logitsOf(weights: readonly Tensor[], images: Tensor): Tensor2D {
  const [kernel1, bias1, kernel2, bias2, kernel, bias] = weights as [Tensor4D, Tensor, Tensor4D, Tensor, Tensor2D, Tensor];
  const first = maxPool(relu(add(conv2d(images as Tensor4D, kernel1, 1, 'same'), bias1)) as Tensor4D, 2, 2, 'valid');
  const second = maxPool(relu(add(conv2d(first, kernel2, 1, 'same'), bias2)) as Tensor4D, 2, 2, 'valid');
  return add(matMul(reshape(second, [images.shape[0] ?? 0, kernel.shape[0]]), kernel), bias);
}

/** A small network on 128 images `[28,28,1]`, 10 classes, where what happens around the arithmetic counts. */
export function cnn28(): Subject {
  const weights = freshWeights();
  const imageShape = [BATCH, 28, 28, 1] as const;
  const images = createRng(3).uniform(BATCH * 28 * 28);
  const labels = createRng(4).integers(BATCH, CLASSES);
  const [x, y] = [tensor(images, [...imageShape]), tensor1d(labels, 'int32')];
  const truth = tidy(() => oneHot(y, CLASSES, 1, 0, 'float32'));
  const model: LogitsFn = (t) => tidy(() => logitsOf(weights.map(({ variable }) => variable), t));
  const gradient = grad((t: Tensor) => losses.softmaxCrossEntropy(truth, model(t), undefined, 0, Reduction.SUM));
  const attack = pgd({ ...ATTACK, steps: 10, start: 'none', goal: 'maxLoss' });
  const trainStep = steppedTraining(plainModel(model), weights, { inputs: images, labels, ids: labels, shape: imageShape });
  return {
    weights: weights.map(({ name, variable }) => ({ name, shape: variable.shape, values: Float32Array.from(variable.dataSync()) })),
    images,
    imageShape,
    labels,
    attack: ATTACK,
    passes: { function: { logits: () => model(x), inputGradient: () => tidy(() => gradient(x)) } },
    trainStep,
    tasks: {
      forward: () => model(x).dispose(),
      'train-step': async () => void (await trainStep()),
      'pgd-10': () => dispose(Object.values(attack.perturb(model, x, y, { rng: createRng(1) }))),
    },
  };
}
