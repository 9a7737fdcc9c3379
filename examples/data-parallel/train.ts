import { constant, sgd, standard, train } from '@moe/adv-train';
import type { Cluster } from '@moe/backend/node';
import { type Batch, type Weight, createRng } from '@moe/core';
import { batches, take } from '@moe/datasets';
import { fashionMnist } from '@moe/datasets/node';
import { type Tensor, dispose } from '@tensorflow/tfjs-core';
import { createNetwork } from './network.js';
import type { Options } from './options.js';

const SEED = 1;

async function copyFromFirst(weights: readonly Weight[], cluster: Cluster): Promise<void> {
  const first = await cluster.broadcast(Object.fromEntries(weights.map(({ name, variable }) => [name, variable as Tensor])));
  for (const { name, variable } of weights) variable.assign(first[name] as Tensor);
  dispose(first);
}

/** Rows `from` to `to` of a batch. */
function rows({ inputs, labels, ids, shape: [, height, width, channels] }: Batch, from: number, to: number): Batch {
  const size = height * width * channels;
  return { inputs: inputs.subarray(from * size, to * size), labels: labels.subarray(from, to), ids: ids.subarray(from, to), shape: [to - from, height, width, channels] };
}

/**
 * Trains on whole batches, alone or as one worker of a cluster.
 *
 * @returns All weights, one list for each.
 */
export async function trainNetwork({ images, batchSize, epochs }: Options, cluster?: Cluster): Promise<number[][]> {
  const { rank, size } = cluster ?? { rank: 0, size: 1 };
  const data = take(await fashionMnist({ split: 'train' }), images);
  const { model, weights } = createNetwork(SEED + rank);
  if (cluster !== undefined) await copyFromFirst(weights, cluster);
  await train({
    model,
    weights,
    // Each worker's part of every batch.
    data: async function* parts(epoch) {
      for await (const batch of batches(data, { batchSize, rng: createRng(SEED), epoch, dropLast: true })) yield rows(batch, (rank * batchSize) / size, ((rank + 1) * batchSize) / size);
    },
    batchesPerEpoch: Math.floor(images / batchSize),
    epochs,
    objective: standard(),
    optimizer: sgd({ momentum: 0.9 }),
    schedule: constant({ base: 0.05 }),
    seed: SEED,
    ...(cluster && { exchange: (tensors) => cluster.allReduce(tensors, 'mean') }),
    onEvent: (event) => {
      if (event.type !== 'epoch' || rank > 0) return;
      console.log(`${size} ${size === 1 ? 'process' : 'workers'}, epoch ${event.record.epoch + 1} of ${epochs}: loss on ${size === 1 ? 'all images' : 'those of the first'} ${event.record.loss.toFixed(4)}`);
    },
  });
  return weights.map(({ variable }) => Array.from(variable.dataSync()));
}
