import type { Batch, Dataset } from '@moe/core';
import { createRng } from '@moe/core';

/** A small data set in memory, `[2,2,1]` images in [0, 1]; uniform noise unless inputs are given. */
export function tinyDataset(labels: readonly number[], inputs: Float32Array = createRng(11).uniform(4 * labels.length)): Dataset {
  const length = labels.length;
  const read = async (indices: ArrayLike<number>): Promise<Batch> => {
    const ids = Int32Array.from(indices);
    const values = new Float32Array(ids.length * 4);
    ids.forEach((id, i) => values.set(inputs.subarray(4 * id, 4 * id + 4), 4 * i));
    return { inputs: values, labels: ids.map((id) => labels[id]!), ids, shape: [ids.length, 2, 2, 1] };
  };
  return {
    name: 'tiny',
    split: 'test',
    length,
    inputShape: [2, 2, 1],
    classNames: ['a', 'b', 'c'],
    bounds: [0, 1],
    read,
    async *[Symbol.asyncIterator]() {
      yield await read(Array.from({ length }, (_, i) => i));
    },
  };
}
