import { type Batch, type Dataset, type Rng, expectArgument, expectInteger, expectKnownKeys } from '@moe/core';
import type { Augment } from '../augment/augment.js';

/** Options of {@link batches}. */
export interface BatchesOptions {
  readonly batchSize: number;
  /** Source of the order and of augmentation; without it examples come in the order of the data set. */
  readonly rng?: Rng;
  /** Whether to leave out a last batch that is smaller. @defaultValue false */
  readonly dropLast?: boolean;
  /** Applied to each batch, in this order; needs `rng`. @defaultValue none */
  readonly augment?: readonly Augment[];
  /** Which pass over the data this is; decides the order and all draws together with `rng`. @defaultValue 0 */
  readonly epoch?: number;
}

/**
 * One pass over a data set in batches, shuffled and augmented when `rng` is given.
 *
 * @remarks
 * The order depends on the key of `rng` and `epoch` only, and the augmentation of an example on these and its id only: neither on the batch
 * size nor on what was drawn before, so a run can be resumed at any batch.
 *
 * @returns Batches of `batchSize` examples.
 * @throws ArgumentError if an option breaks its rule.
 *
 * @example
 * for await (const batch of batches(train, { batchSize: 64, rng, epoch, augment: [randomCrop({ padding: 4 })] })) step(toTensors(batch));
 */
export function batches(dataset: Dataset, options: BatchesOptions): AsyncGenerator<Batch, void, undefined> {
  expectKnownKeys('batches', options, ['batchSize', 'rng', 'dropLast', 'augment', 'epoch']);
  const { batchSize, rng, augment = [], epoch = 0 } = options;
  expectInteger('batches', 'batchSize', batchSize, 1);
  expectInteger('batches', 'epoch', epoch, 0);
  expectArgument('batches', 'rng', rng !== undefined || augment.length === 0, 'be given when augment is', rng);
  return generate(dataset, options);
}

async function* generate(dataset: Dataset, { batchSize, rng, dropLast = false, augment = [], epoch = 0 }: BatchesOptions): AsyncGenerator<Batch, void, undefined> {
  const order = rng?.stream('batches/order').at(epoch).permutation(dataset.length) ?? Int32Array.from({ length: dataset.length }, (_, i) => i);
  const draws = rng?.stream('batches/augment').at(epoch);
  const end = dropLast ? dataset.length - (dataset.length % batchSize) : dataset.length;
  for (let start = 0; start < end; start += batchSize) {
    const batch = await dataset.read(order.subarray(start, Math.min(start + batchSize, end)));
    yield augment.reduce((current, apply, i) => apply(current, (id) => draws!.at(i, id)), batch);
  }
}
