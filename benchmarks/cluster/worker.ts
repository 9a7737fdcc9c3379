// One worker of `pnpm bench cluster`, under TF_CONFIG; the first one prints what it measured.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { useBackend } from '@moe/backend';
import { type Cluster, connectCluster } from '@moe/backend/node';
import { createRng } from '@moe/core';
import { modelWeights, moeModel, resnet } from '@moe/layers';
import { type NamedTensorMap, type Scalar, type Tensor1D, dispose, enableProdMode, losses, oneHot, tensor, tensor1d, variableGrads } from '@tensorflow/tfjs-core';

const BATCH = 64;

/** Milliseconds of the variants in {@link measure}. */
export type Times = Record<'step' | 'packed' | 'apart' | 'sequential' | 'overlapped', number>;

function gradientsOf(): () => NamedTensorMap {
  const network = resnet({ depth: 18, width: 16, stem: 'cifar', classes: 10, inputShape: [32, 32, 3], seed: 1 });
  const view = moeModel(network);
  const variables = modelWeights(network).flatMap(({ variable, trainable }) => (trainable ? [variable] : []));
  const images = tensor(createRng(1).uniform(BATCH * 3072), [BATCH, 32, 32, 3]);
  const labels = oneHot(tensor1d(Int32Array.from({ length: BATCH }, (_, i) => i % 10), 'int32') as Tensor1D, 10);
  return () => {
    const { value, grads } = variableGrads(() => losses.softmaxCrossEntropy(labels, view.forward(images, { training: true }).logits) as Scalar, variables);
    value.dispose();
    // The engine may compute when it is asked for values.
    Object.values(grads).at(-1)?.dataSync();
    return grads;
  };
}

/** Least time by the clock of every variant, by turns; all workers start each at the same moment. */
async function measure(cluster: Cluster, rounds: number): Promise<Times> {
  const gradients = gradientsOf();
  const step = async () => dispose(gradients());
  const given = gradients();
  const packed = async () => dispose(await cluster.allReduce(given, 'mean'));
  const variants: Readonly<Record<keyof Times, () => Promise<void>>> = {
    step,
    packed,
    async apart() {
      for (const gradient of Object.values(given)) (await cluster.allReduce(gradient, 'mean')).dispose();
    },
    async sequential() {
      await step();
      await packed();
    },
    async overlapped() {
      const exchange = packed();
      await nextTurn();
      await step();
      await exchange;
    },
  };
  const least: Times = { step: Infinity, packed: Infinity, apart: Infinity, sequential: Infinity, overlapped: Infinity };
  for (let round = 0; round <= rounds; round++) {
    for (const name of Object.keys(variants) as (keyof Times)[]) {
      await cluster.barrier();
      const start = performance.now();
      await variants[name]();
      if (round > 0) least[name] = Math.min(least[name], performance.now() - start);
    }
  }
  return least;
}

enableProdMode();
await useBackend('tensorflow', { threads: 1 });
const cluster = await connectCluster({ timeoutSeconds: 120 });
const times = await measure(cluster, Number(process.argv[2]));
await cluster.close();
if (cluster.rank === 0) console.log(JSON.stringify(times));
