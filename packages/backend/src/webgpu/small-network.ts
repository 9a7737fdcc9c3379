// Test helper; no part of the package.
import * as layers from '@tensorflow/tfjs-layers';
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, type Tensor4D, batchNorm, conv2d, depthwiseConv2d, grads, logSoftmax, matMul, maxPool, mean, moments, mul, neg, relu, sum, tensor, tidy } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';

function normals(shape: number[], seed: number, scale = 1): Tensor {
  return tensor(createRng(seed).normal(shape.reduce((a, b) => a * b, 1)).map((value) => value * scale), shape);
}

const BATCH = 4;
const SIDE = 9;
const CLASSES = 3;

/** Batch norm with the statistics of the batch. */
function normalised(x: Tensor4D, scale: Tensor, offset: Tensor): Tensor4D {
  const { mean: centre, variance } = moments(x, [0, 1, 2]);
  return batchNorm(x, centre as Tensor1D, variance as Tensor1D, offset as Tensor1D, scale as Tensor1D, 1e-5);
}

/** Loss of a small network with strided, padded and depthwise convolutions, batch norm and pooling; then its gradient for the images and each weight. */
export function lossAndGradients(): Tensor[] {
  return tidy(() => {
    const oneHot = tensor([1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0], [BATCH, CLASSES]);
    const loss = (...[x, first, scale, offset, second, deep, dense]: Tensor[]): Scalar => {
      const a = relu(normalised(conv2d(x as Tensor4D, first as Tensor4D, 1, 'same'), scale!, offset!));
      const b = relu(conv2d(a, second as Tensor4D, 2, 1));
      const c = maxPool(depthwiseConv2d(b, deep as Tensor4D, 1, 'same'), 2, 1, 'valid');
      return neg(mean(sum(mul(logSoftmax(matMul(mean(c, [1, 2]) as Tensor2D, dense as Tensor2D)), oneHot), 1))) as Scalar;
    };
    const inputs = [
      normals([BATCH, SIDE, SIDE, 2], 1),
      normals([3, 3, 2, 6], 2, 0.3),
      normals([6], 3),
      normals([6], 4),
      normals([3, 3, 6, 8], 5, 0.2),
      normals([3, 3, 8, 1], 6, 0.3),
      normals([8, CLASSES], 7, 0.5),
    ];
    return [loss(...inputs), ...grads(loss)(inputs)];
  });
}

/** Losses of a stock `LayersModel` over a few steps of training on the same batch. */
export async function trainingLosses(): Promise<number[]> {
  const model = layers.sequential({
    layers: [
      layers.layers.conv2d({ inputShape: [SIDE, SIDE, 2], filters: 6, kernelSize: 3, activation: 'relu', kernelInitializer: layers.initializers.heNormal({ seed: 1 }) }),
      layers.layers.batchNormalization(),
      layers.layers.conv2d({ filters: 8, kernelSize: 3, strides: 2, kernelInitializer: layers.initializers.heNormal({ seed: 2 }) }),
      layers.layers.flatten(),
      layers.layers.dense({ units: CLASSES, activation: 'softmax', kernelInitializer: layers.initializers.heNormal({ seed: 3 }) }),
    ],
  });
  model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
  const [x, y] = [normals([BATCH, SIDE, SIDE, 2], 1), tensor([1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0], [BATCH, CLASSES])];
  const losses: number[] = [];
  for (let step = 0; step < 4; step++) losses.push((await model.trainOnBatch(x, y)) as number);
  model.dispose();
  x.dispose();
  y.dispose();
  return losses;
}
