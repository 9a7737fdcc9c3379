// Makes a plain classifier of Fashion-MNIST, the same one behind a stair, and a folder of images, to try the program on.
import { join } from 'node:path';
import { useBackend } from '@moe/backend';
import { writeFileAtomic } from '@moe/core/node';
import { fashionMnist } from '@moe/datasets/node';
import { encodePng } from '@moe/report';
import { oneHot, tensor, tensor1d, tensor4d } from '@tensorflow/tfjs-core';
import { type LayersModel, initializers, layers, sequential } from '@tensorflow/tfjs-layers';
import { fromHere } from './flags.js';
import { saveModel } from './save-model.js';

const LEVELS = 16;
/** So steep that every input lies on the flat part of every stair, where the gradient is exactly zero. */
const STEEPNESS = 1e5;
const SIDE = 28;

/** A small convolutional network that ends in a softmax, as most saved models do. */
async function train(images: number, epochs: number): Promise<LayersModel> {
  const kernelInitializer = (seed: number) => initializers.heNormal({ seed });
  const model = sequential({
    layers: [
      layers.conv2d({ inputShape: [SIDE, SIDE, 1], filters: 8, kernelSize: 5, strides: 2, activation: 'relu', kernelInitializer: kernelInitializer(1) }),
      layers.conv2d({ filters: 16, kernelSize: 3, strides: 2, activation: 'relu', kernelInitializer: kernelInitializer(2) }),
      layers.flatten(),
      layers.dense({ units: 10, activation: 'softmax', kernelInitializer: kernelInitializer(3) }),
    ],
  });
  const data = await fashionMnist({ split: 'train' });
  const { inputs, labels, shape } = await data.read(Array.from({ length: images }, (_, i) => i));
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
  await model.fit(tensor4d(inputs, [...shape]), oneHot(tensor1d(labels, 'int32'), 10), { epochs, batchSize: 64, shuffle: false, verbose: 0 });
  return model;
}

/** The same network behind a stair of grey levels: standard layers whose gradient is zero. */
function behindStair(network: LayersModel): LayersModel {
  const stair = sequential({
    layers: [
      layers.conv2d({ inputShape: [SIDE, SIDE, 1], filters: LEVELS, kernelSize: 1, activation: 'hardSigmoid' }),
      layers.conv2d({ filters: 1, kernelSize: 1, useBias: false }),
      network,
    ],
  });
  const thresholds = Array.from({ length: LEVELS }, (_, level) => -(STEEPNESS * (level + 0.5)) / LEVELS);
  stair.layers[0]!.setWeights([tensor(new Array<number>(LEVELS).fill(STEEPNESS), [1, 1, 1, LEVELS]), tensor1d(thresholds)]);
  stair.layers[1]!.setWeights([tensor(new Array<number>(LEVELS).fill(1 / LEVELS), [1, 1, LEVELS, 1])]);
  return stair;
}

async function saveImages(folder: string, count: number): Promise<void> {
  const data = await fashionMnist({ split: 'test' });
  const { inputs, labels } = await data.read(Array.from({ length: count }, (_, i) => i));
  for (const [i, label] of labels.entries()) {
    const pixels = inputs.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE);
    const png = encodePng({ data: Uint8Array.from(pixels, (value) => Math.round(255 * value)), height: SIDE, width: SIDE, channels: 1 });
    // Folders in the order of the labels.
    await writeFileAtomic(join(folder, `${label} ${data.classNames[label]!.replace('/', ' or ')}`, `${i}.png`), png);
  }
}

const [target = 'runs/demo', trainImages = '6000', epochs = '6', testImages = '400'] = process.argv.slice(2).filter((arg) => arg !== '--');
const folder = fromHere(target);
await useBackend('auto');
const plain = await train(Number(trainImages), Number(epochs));
await saveModel(plain, join(folder, 'plain'));
await saveModel(behindStair(plain), join(folder, 'masked'));
await saveImages(join(folder, 'images'), Number(testImages));
console.log(`Models and images are in ${folder}.`);
