import { plainModel } from '@moe/adv-train';
import { type MoeModel, type Weight, createRng } from '@moe/core';
import { type Tensor, type Tensor2D, type Tensor4D, add, conv2d, matMul, relu, reshape, tensor, tidy, variable } from '@tensorflow/tfjs-core';

export interface Network {
  /** Images `[B,28,28,1]` → logits `[B,10]`. */
  readonly model: MoeModel;
  readonly weights: readonly Weight[];
}

const SHAPES = { conv1: [3, 3, 1, 8], conv2: [3, 3, 8, 16], dense: [7 * 7 * 16, 10], bias: [10] } as const;

/** Two strided convolutions and a dense layer. No batch norm: its statistics would be of one worker's images, and the weights not quite those of one process. */
export function createNetwork(seed: number): Network {
  const rng = createRng(seed);
  const init = (name: keyof typeof SHAPES): Weight => {
    const shape = SHAPES[name];
    const inputs = shape.slice(0, -1).reduce((a, b) => a * b, 1);
    const values = rng.normal(inputs * (shape.at(-1) ?? 1)).map((value) => (name === 'bias' ? 0 : value * Math.sqrt(2 / inputs)));
    return { name, trainable: true, variable: tidy(() => variable(tensor(values, [...shape]))) };
  };
  const [conv1, conv2, dense, bias] = [init('conv1'), init('conv2'), init('dense'), init('bias')];
  const model = plainModel((images) => {
    const first = relu(conv2d(images as Tensor4D, conv1.variable as Tensor as Tensor4D, 2, 'same'));
    const second = relu(conv2d(first, conv2.variable as Tensor as Tensor4D, 2, 'same'));
    return add(matMul(reshape(second, [-1, 7 * 7 * 16]) as Tensor2D, dense.variable as Tensor as Tensor2D), bias.variable) as Tensor2D;
  });
  return { model, weights: [conv1, conv2, dense, bias] };
}
