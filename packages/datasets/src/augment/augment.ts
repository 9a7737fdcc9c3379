import type { Batch, Rng } from '@moe/core';

/**
 * A random change of images; labels, ids and shape stay.
 *
 * @remarks
 * Returns a new batch and leaves its argument as it is. All randomness of an example comes from `rngOf` of its id, so the result does not depend
 * on what else is in the batch.
 */
export type Augment = (batch: Batch, rngOf: (id: number) => Rng) => Batch;
