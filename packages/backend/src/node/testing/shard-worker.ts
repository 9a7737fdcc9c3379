// Test helper; no part of the package.
import { type Tensor4D, conv2d, grad, square, sum, tensor, tidy } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { useBackend } from '../../use-backend.js';

/** Images of one shard, by their first and number; `weights` is shared between threads. */
export interface Shard {
  readonly first: number;
  readonly count: number;
  readonly weights: Float32Array;
  /** What to do instead. */
  readonly instead?: 'throw' | 'wait';
}

const image = (id: number): Float32Array => createRng(1).at(id).normal(8 * 8 * 3);

/** Input gradient of a convolution, image by image. */
export default async function inputGradients({ first, count, weights, instead }: Shard): Promise<Float32Array> {
  if (instead === 'throw') throw new RangeError(`shard ${first} is broken`);
  if (instead === 'wait') await new Promise((resolve) => setTimeout(resolve, 600_000));
  await useBackend('wasm');
  return tidyRead(() => {
    const values = Array.from({ length: count }, (_, i) => Array.from(image(first + i))).flat();
    const filter = tensor(weights.slice(), [3, 3, 3, 4]) as Tensor4D;
    return grad((x) => sum(square(conv2d(x as Tensor4D, filter, 1, 'same'))))(tensor(values, [count, 8, 8, 3]));
  });
}

function tidyRead(compute: () => ReturnType<typeof tensor>): Float32Array {
  const result = tidy(compute);
  try {
    return result.dataSync().slice() as Float32Array;
  } finally {
    result.dispose();
  }
}
