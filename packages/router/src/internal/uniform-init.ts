import type { Rng } from '@moe/core';
import { tensor } from '@tensorflow/tfjs-core';
import type { InitialWeight } from '../types.js';

/** U(±1/√fanIn): what PyTorch's default, Kaiming-uniform with a = √5, comes to for a linear or convolution weight and its bias. */
export function uniformInit(shape: number[], fanIn: number, rng: Rng): InitialWeight {
  const bound = 1 / Math.sqrt(fanIn);
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  return { value: tensor(rng.uniform(size, -bound, bound), shape), trainable: true };
}
