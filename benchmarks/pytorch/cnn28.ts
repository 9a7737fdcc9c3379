// Shapes: B batch, H W pixels, C channels, M classes.
import { crossEntropy, sgd } from '@moe/adv-train';
import { type Rng, createRng } from '@moe/core';
import { Reduction, type Tensor, type Tensor1D, type Tensor2D, type Tensor4D, add, conv2d, dispose, grad, losses, matMul, maxPool, oneHot, relu, reshape, scalar, tensor, tensor1d, tidy, valueAndGrads, zerosLike } from '@tensorflow/tfjs-core';
import { compiled, compiledAttack } from './compiled.js';
import type { Subject } from './subject.js';

const BATCH = 128;
const CLASSES = 10;
const IMAGES = [BATCH, 28, 28, 1] as const;
const ATTACK = { eps: 0.1, stepSize: 0.025, steps: 10 };
const LEARNING_RATE = 1e-3;
const SHAPES: Readonly<Record<string, number[]>> = {
  'conv1/kernel': [3, 3, 1, 16],
  'conv1/bias': [16],
  'conv2/kernel': [3, 3, 16, 32],
  'conv2/bias': [32],
  'fc/kernel': [7 * 7 * 32, CLASSES],
  'fc/bias': [CLASSES],
};

function freshWeight(name: string, rng: Rng): Tensor {
  const shape = SHAPES[name] ?? [];
  const size = shape.reduce((product, side) => product * side, 1);
  const fanIn = size / (shape.at(-1) ?? 1);
  return tensor(rng.stream(name).normal(size, 0, shape.length === 1 ? 0.1 : Math.sqrt(2 / fanIn)), shape);
}

/** Weights of the network, freshly drawn, by name. */
export const freshWeights = (rng: Rng): readonly (readonly [name: string, weight: Tensor])[] => Object.keys(SHAPES).map((name) => [name, freshWeight(name, rng)]);

/** Two convolutions with bias, ReLU and 2x2 maximum pooling, then one linear layer: images `[B,28,28,1]` → logits `[B,10]`. */
export function logitsOf(weights: readonly Tensor[], images: Tensor): Tensor2D {
  const [kernel1, bias1, kernel2, bias2, kernel, bias] = weights as [Tensor4D, Tensor, Tensor4D, Tensor, Tensor2D, Tensor];
  const first = maxPool(relu(add(conv2d(images as Tensor4D, kernel1, 1, 'same'), bias1)) as Tensor4D, 2, 2, 'valid');
  const second = maxPool(relu(add(conv2d(first, kernel2, 1, 'same'), bias2)) as Tensor4D, 2, 2, 'valid');
  return add(matMul(reshape(second, [images.shape[0] ?? 0, kernel.shape[0]]), kernel), bias);
}

/** A small network on 128 images `[28,28,1]`, 10 classes, where what happens around the arithmetic counts; compiled with `jit`. */
export function cnn28(): Subject {
  const fresh = freshWeights(createRng(1));
  let weights: readonly Tensor[] = fresh.map(([, weight]) => weight);
  let momenta: readonly Tensor[] = weights.map((weight) => zerosLike(weight));
  const drawn = fresh.map(([name, weight]) => ({ name, shape: weight.shape, values: Float32Array.from(weight.dataSync()) }));
  const images = createRng(3).uniform(BATCH * 28 * 28);
  const labels = createRng(4).integers(BATCH, CLASSES);
  const [x, y] = [tensor(images, [...IMAGES]), tensor1d(labels, 'int32')];
  const truth = tidy(() => oneHot(y, CLASSES, 1, 0, 'float32'));

  const rowLoss = (t: Tensor, w: readonly Tensor[]): Tensor1D => losses.softmaxCrossEntropy(truth, logitsOf(w, t), undefined, 0, Reduction.NONE);
  const forward = compiled((t: Tensor, w: readonly Tensor[]) => logitsOf(w, t), x, weights);
  const inputGradient = compiled((t: Tensor, w: readonly Tensor[]) => grad((u) => rowLoss(u, w))(t), x, weights);

  const attack = compiledAttack(rowLoss, x, weights, ATTACK);

  const optimizer = sgd({ momentum: 0.9 });
  const rate = scalar(LEARNING_RATE);
  const train = compiled((w: readonly Tensor[], m: readonly Tensor[]) => {
    const { value, grads } = valueAndGrads((...args: Tensor[]) => crossEntropy(logitsOf(args, x), y))([...w]);
    const updates = w.map((weight, i) => optimizer.update(weight, grads[i]!, [m[i]!], [rate]));
    return { value, weights: updates.map(({ weight }) => weight), momenta: updates.map(({ slots }) => slots[0]!) };
  }, weights, momenta);
  const trainStep = async (): Promise<number> => {
    const { value, weights: moved, momenta: filled } = train(weights, momenta);
    dispose([...weights, ...momenta]);
    [weights, momenta] = [moved, filled];
    const [loss] = await value.data();
    value.dispose();
    return loss ?? Number.NaN;
  };
  return {
    weights: () => drawn,
    images,
    imageShape: IMAGES,
    labels,
    attack: ATTACK,
    passes: { function: { logits: () => forward(x, weights), inputGradient: () => inputGradient(x, weights) } },
    attackLosses: () => {
      const [best, highest] = attack(weights);
      const found = Array.from(highest.dataSync());
      dispose([best, highest]);
      return found;
    },
    trainStep,
    tasks: { forward: () => forward(x, weights).dispose(), 'train-step': async () => void (await trainStep()), 'pgd-10': () => dispose(attack(weights)) },
  };
}
