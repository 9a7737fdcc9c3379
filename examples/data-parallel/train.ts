import type { Cluster } from '@moe/backend/node';
import { type Batch, createRng } from '@moe/core';
import { batches, take, toTensors } from '@moe/datasets';
import { fashionMnist } from '@moe/datasets/node';
import { type Tensor, dispose, train as optimizers, variableGrads } from '@tensorflow/tfjs-core';
import { type Network, createNetwork } from './network.js';
import type { Options } from './options.js';

const SEED = 1;

/** The loss and the gradients of all weights, by name. */
function gradientsOf({ weights, loss }: Network, batch: Batch): Record<string, Tensor> {
  const { inputs, labels } = toTensors(batch);
  const { value, grads } = variableGrads(() => loss(inputs, labels), Object.values(weights));
  dispose([inputs, labels]);
  return { loss: value, ...Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, grads[weight.name] as Tensor])) };
}

async function copyFromFirst(weights: Network['weights'], cluster: Cluster): Promise<void> {
  const first = await cluster.broadcast(weights);
  for (const [name, weight] of Object.entries(weights)) weight.assign(first[name] as Tensor);
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
 * @returns The loss of every step, over the images of all workers.
 */
export async function train({ images, batchSize, epochs }: Options, cluster?: Cluster): Promise<number[]> {
  const { rank, size } = cluster ?? { rank: 0, size: 1 };
  const data = take(await fashionMnist({ split: 'train' }), images);
  const network = createNetwork(SEED + rank);
  if (cluster !== undefined) await copyFromFirst(network.weights, cluster);
  const names = new Map(Object.entries(network.weights).map(([name, { name: key }]) => [name, key]));
  const optimizer = optimizers.momentum(0.05, 0.9);
  const history: number[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    for await (const batch of batches(data, { batchSize, rng: createRng(SEED), epoch, dropLast: true })) {
      const own = gradientsOf(network, rows(batch, (rank * batchSize) / size, ((rank + 1) * batchSize) / size));
      const { loss, ...gradients } = cluster === undefined ? own : await cluster.allReduce(own, 'mean');
      if (cluster !== undefined) dispose(own);
      optimizer.applyGradients(Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [names.get(name), gradient])));
      history.push((loss as Tensor).dataSync()[0] as number);
      dispose({ loss, ...gradients });
    }
    if (rank === 0) console.log(`${size} ${size === 1 ? 'process' : 'workers'}, epoch ${epoch + 1} of ${epochs}: loss ${history.at(-1)?.toFixed(6)}`);
  }
  return history;
}
