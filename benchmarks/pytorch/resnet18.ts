// Shapes: B batch, H W pixels, C channels, M classes.
import { pgd } from '@moe/attacks';
import { jit } from '@moe/backend';
import { type Compile, type LogitsFn, createRng } from '@moe/core';
import { logitsFn, modelWeights, moeModel, resnet } from '@moe/layers';
import { Reduction, type Tensor, type Tensor1D, type Tensor2D, dispose, grad, losses, oneHot, tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { stockResnet } from '../stock/resnet.js';
import { compiled } from './compiled.js';
import type { NamedTensor, Pass, Subject } from './subject.js';
import { steppedTraining } from './training.js';

const BATCH = 64;
const CLASSES = 10;
const ATTACK = { eps: 8 / 255, stepSize: 2 / 255, steps: 1 };

/** Statistics and scales that are not those of a fresh network, so that forgetting one shows. */
const DRAWS: Readonly<Record<string, readonly [low: number, high: number]>> = { gamma: [0.5, 1.5], beta: [-0.2, 0.2], movingMean: [-0.2, 0.2], movingVariance: [0.5, 1.5] };

function drawStatistics(network: LayersModel): void {
  const rng = createRng(2);
  for (const { name, variable } of modelWeights(network)) {
    const range = DRAWS[name.split('/')[1] ?? ''];
    if (range !== undefined) tidy(() => variable.assign(tensor(rng.stream(name).uniform(variable.size, ...range), variable.shape)));
  }
}

const weightsOf = (network: LayersModel): NamedTensor[] =>
  modelWeights(network).map(({ name, variable }) => ({ name, shape: variable.shape, values: variable.dataSync() as Float32Array }));

/** Calls `make` when the result is first asked for. */
function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** Gives an ordinary model the weights of ours, name by name. */
function setWeights(stock: LayersModel, weights: readonly NamedTensor[]): void {
  const parts: Readonly<Record<string, string>> = { moving_mean: 'movingMean', moving_variance: 'movingVariance' };
  for (const layer of stock.layers.filter((candidate) => candidate.weights.length > 0)) {
    const values = layer.weights.map(({ originalName }) => {
      const part = originalName.split('/').at(-1) ?? '';
      const name = `${layer.name}/${parts[part] ?? part}`;
      const found = weights.find((weight) => weight.name === name);
      if (found === undefined) throw new Error(`pytorch: the network has no weight ${name}.`);
      return tensor(found.values, [...found.shape]);
    });
    layer.setWeights(values);
    dispose(values);
  }
}

/** ResNet-18 at full width on 64 images `[32,32,3]`, 10 classes. */
export function resnet18(): Subject {
  const network = resnet({ depth: 18, width: 64, stem: 'cifar', classes: CLASSES, inputShape: [32, 32, 3], seed: 1 });
  drawStatistics(network);
  const imageShape = [BATCH, 32, 32, 3] as const;
  const images = createRng(3).uniform(BATCH * 32 * 32 * 3);
  const labels = createRng(4).integers(BATCH, CLASSES);
  const [x, y] = [tensor(images, [...imageShape]), tensor1d(labels, 'int32')];
  const truth = tidy(() => oneHot(y, CLASSES, 1, 0, 'float32'));
  // Made when asked for: memory is measured, too.
  const stock = once(() => {
    const ordinary = stockResnet(CLASSES);
    setWeights(ordinary, weightsOf(network));
    return ordinary;
  });

  const rowLoss = (logits: LogitsFn) => (t: Tensor): Tensor1D => losses.softmaxCrossEntropy(truth, logits(t), undefined, 0, Reduction.NONE);
  const model = logitsFn(moeModel(network));
  const gradientOf = (logits: LogitsFn) => (t: Tensor): Tensor => grad(rowLoss(logits))(t);
  // The weights are variables, which compiled functions take with their present values.
  const forward = once(() => compiled((t: Tensor) => model(t), x));
  const inputGradient = once(() => compiled(gradientOf(model), x));
  const ordinary: LogitsFn = (t) => stock().apply(t) as Tensor2D;
  const ordinaryGradient = once(() => {
    stock(); // Its weights are read as it is made, which a traced function must not do.
    return compiled(gradientOf(ordinary), x);
  });
  const passes: Record<string, Pass> = {
    function: { logits: () => forward()(x), inputGradient: () => inputGradient()(x) },
    layers: { logits: () => ordinary(x), inputGradient: () => ordinaryGradient()(x) },
  };
  const attackBy = (compile?: Compile) => {
    const attack = pgd({ ...ATTACK, start: 'none', goal: 'maxLoss', ...(compile && { compile }) });
    return () => attack.perturb(model, x, y, { rng: createRng(1) });
  };
  const [attackedEager, attacked] = [attackBy(), attackBy(jit)];
  const trainBy = (compile?: Compile) => steppedTraining(moeModel(network), modelWeights(network), { inputs: images, labels, ids: labels, shape: imageShape }, compile);
  const [trainEager, trainStep] = [once(() => trainBy()), once(() => trainBy(jit))];
  return {
    weights: () => weightsOf(network),
    images,
    imageShape,
    labels,
    attack: ATTACK,
    passes,
    attackLosses: () => {
      const found = attacked();
      const losses = Array.from(found.loss.dataSync());
      dispose(Object.values(found));
      return losses;
    },
    trainStep: () => trainStep()(),
    tasks: {
      forward: () => forward()(x).dispose(),
      'forward-eager': () => model(x).dispose(),
      'input-gradient': () => inputGradient()(x).dispose(),
      'input-gradient-eager': () => gradientOf(model)(x).dispose(),
      'input-gradient-layers': () => ordinaryGradient()(x).dispose(),
      'input-gradient-layers-eager': () => gradientOf(ordinary)(x).dispose(),
      'pgd-step': () => dispose(Object.values(attacked())),
      'pgd-step-eager': () => dispose(Object.values(attackedEager())),
      'train-step': async () => void (await trainStep()()),
      'train-step-eager': async () => void (await trainEager()()),
    },
  };
}
