// One worker of the equality row of `pnpm bench train` under TF_CONFIG, or the one process that has both parts of every batch; prints the trained weights.
import { constant, pgdAdversarial, sgd, train } from '@moe/adv-train';
import { pgd } from '@moe/attacks';
import { useBackend } from '@moe/backend';
import { connectCluster } from '@moe/backend/node';
import { createRng } from '@moe/core';
import { batches, colouredShapes } from '@moe/datasets';
import { mlp, modelWeights, moeModel } from '@moe/layers';
import { enableProdMode } from '@tensorflow/tfjs-core';

const BATCH = 64;
const STEPS = 16;

enableProdMode();
await useBackend('tensorflow', { threads: 1 });
const cluster = process.env['TF_CONFIG'] === undefined ? undefined : await connectCluster({ timeoutSeconds: 120 });
const { rank, size } = cluster ?? { rank: 0, size: 1 };
// No batch norm: its statistics would be of one part.
const network = mlp({ hidden: [64, 64], classes: 4, inputShape: [8, 8, 3], seed: 1 });
const data = colouredShapes({ rng: createRng(1), length: BATCH * STEPS, size: 8 });
await train({
  model: moeModel(network),
  weights: modelWeights(network),
  data: async function* parts(epoch) {
    for await (const { inputs, labels, ids, shape } of batches(data, { batchSize: BATCH, rng: createRng(2), epoch })) {
      const [from, to] = [(rank * BATCH) / size, ((rank + 1) * BATCH) / size];
      const pixels = inputs.length / BATCH;
      yield { inputs: inputs.slice(from * pixels, to * pixels), labels: labels.slice(from, to), ids: ids.slice(from, to), shape: [to - from, shape[1], shape[2], shape[3]] };
    }
  },
  batchesPerEpoch: STEPS,
  epochs: 2,
  objective: pgdAdversarial({ attack: pgd({ eps: 0.05, steps: 7, goal: 'lastStep' }), batchNorm: 'running' }),
  optimizer: sgd({ momentum: 0.9, nesterov: true, weightDecay: 5e-4 }),
  schedule: constant({ base: 0.05 }),
  seed: 1,
  ...(cluster && { exchange: (tensors) => cluster.allReduce(tensors, 'mean') }),
});
await cluster?.close();
console.log(JSON.stringify(modelWeights(network).map(({ variable }) => Array.from(variable.dataSync()))));
