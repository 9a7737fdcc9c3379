import { createRng } from '@moe/core';
import { type Scalar, type Tensor1D, type Tensor2D, type Tensor4D, type Variable, add, conv2d, losses, matMul, oneHot, relu, reshape, tensor, tidy, variable } from '@tensorflow/tfjs-core';

export interface Network {
  readonly weights: Readonly<Record<string, Variable>>;
  /** Mean cross-entropy of images `[B,28,28,1]` with labels `[B]`. */
  readonly loss: (images: Tensor4D, labels: Tensor1D) => Scalar;
}

const SHAPES = { conv1: [3, 3, 1, 8], conv2: [3, 3, 8, 16], dense: [7 * 7 * 16, 10], bias: [10] } as const;

/** Two strided convolutions and a dense layer. No batch norm: its statistics would be of one worker's images, and the losses not quite those of one process. */
export function createNetwork(seed: number): Network {
  const rng = createRng(seed);
  const init = (shape: readonly number[]): Variable => {
    const inputs = shape.slice(0, -1).reduce((a, b) => a * b, 1);
    const values = rng.normal(inputs * (shape.at(-1) ?? 1)).map((value) => value * Math.sqrt(2 / inputs));
    return tidy(() => variable(tensor(values, [...shape])));
  };
  const [conv1, conv2, dense] = [init(SHAPES.conv1), init(SHAPES.conv2), init(SHAPES.dense)];
  const bias = tidy(() => variable(tensor(new Float32Array(10), [...SHAPES.bias])));
  return {
    weights: { conv1, conv2, dense, bias },
    loss(images, labels) {
      const first = relu(conv2d(images, conv1 as Tensor4D, 2, 'same'));
      const second = relu(conv2d(first, conv2 as Tensor4D, 2, 'same'));
      const logits = add(matMul(reshape(second, [-1, 7 * 7 * 16]) as Tensor2D, dense as Tensor2D), bias);
      return losses.softmaxCrossEntropy(oneHot(labels, 10), logits) as Scalar;
    },
  };
}
