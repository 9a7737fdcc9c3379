import type { Batch, Dataset } from '@moe/core';

/** Examples read at once when a data set is iterated without saying how many. */
const BATCH_SIZE = 256;

/** All examples once, in order; what iterating a data set does. */
export async function* iterate(dataset: Pick<Dataset, 'length' | 'read'>): AsyncGenerator<Batch, void, undefined> {
  for (let start = 0; start < dataset.length; start += BATCH_SIZE) {
    const length = Math.min(BATCH_SIZE, dataset.length - start);
    yield await dataset.read(Array.from({ length }, (_, i) => start + i));
  }
}
