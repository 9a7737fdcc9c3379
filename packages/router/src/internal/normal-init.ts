import type { Rng } from '@moe/core';
import { tensor } from '@tensorflow/tfjs-core';
import type { InitialWeight } from '../types.js';

/** N(0, std²). */
export function normalInit(shape: number[], std: number, rng: Rng): InitialWeight {
  return { value: tensor(rng.normal(shape.reduce((product, dimension) => product * dimension, 1), 0, std), shape), trainable: true };
}
