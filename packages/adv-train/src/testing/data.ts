import { type Batch, type Dataset, createRng } from '@moe/core';

/** A fixed set of rows `[2,2,1]` in `[0, 1]` with two classes, in an order that the epoch decides; `size` rows a batch. */
export function tinyBatches(count: number, size: number): (epoch: number) => AsyncGenerator<Batch> {
  const rng = createRng(11);
  return async function* batches(epoch) {
    const order = rng.stream('order').at(epoch).permutation(count);
    for (let from = 0; from < count; from += size) {
      const ids = order.slice(from, from + size);
      const inputs = new Float32Array(ids.length * 4);
      ids.forEach((id, row) => inputs.set(rng.stream('row').at(id).uniform(4), row * 4));
      const labels = Int32Array.from(ids, (_, row) => (inputs[row * 4]! > inputs[row * 4 + 1]! ? 1 : 0));
      yield { inputs, labels, ids, shape: [ids.length, 2, 2, 1] };
    }
  };
}

/** The first rows of {@link tinyBatches}, in the order of their ids. */
export async function tinyDataset(length: number, split = 'validation'): Promise<Dataset> {
  const { inputs, labels, ids } = (await tinyBatches(12, 12)(0).next()).value as Batch;
  const read = async (indices: ArrayLike<number>): Promise<Batch> => {
    const wanted = Array.from(indices, (id) => ids.indexOf(id));
    return { inputs: Float32Array.from(wanted.flatMap((row) => Array.from(inputs.subarray(row * 4, row * 4 + 4)))), labels: Int32Array.from(wanted, (row) => labels[row]!), ids: Int32Array.from(indices), shape: [wanted.length, 2, 2, 1] };
  };
  return { name: 'tiny', split, length, inputShape: [2, 2, 1], classNames: ['a', 'b'], bounds: [0, 1], read, async *[Symbol.asyncIterator]() { yield await read([0]); } };
}

/** The same batch, once an epoch. */
export function oneBatch(inputs: readonly number[], labels: readonly number[]): () => AsyncGenerator<Batch> {
  const features = inputs.length / labels.length;
  return async function* batches() {
    yield {
      inputs: Float32Array.from(inputs),
      labels: Int32Array.from(labels),
      ids: Int32Array.from(labels.keys()),
      shape: [labels.length, 1, 1, features],
    };
  };
}
