import { constant, sgd, standard, train } from '@moe/adv-train';
import { useBackend } from '@moe/backend';
import { type Batch, createRng } from '@moe/core';
import { modelWeights, moeModel, resnet } from '@moe/layers';
import type { BenchmarkOptions, MeasuredRow } from '../benchmark.js';

const BATCH = 8;
/** A step must be twenty times as fast as on the cpu engine. */
const LIMIT = 1 / 20;

/** Least processor time of one step of standard training of the network of the example's preset `quick`, in milliseconds; the first step is not counted. */
async function stepTime(engine: 'cpu' | 'wasm', steps: number): Promise<number> {
  await useBackend(engine);
  const network = resnet({ depth: 10, width: 8, stem: 'cifar', classes: 10, inputShape: [28, 28, 1], seed: 1 });
  const labels = Int32Array.from({ length: BATCH }, (_, i) => i % 10);
  const batch: Batch = { inputs: createRng(1).uniform(BATCH * 784), labels, ids: labels, shape: [BATCH, 28, 28, 1] };
  const marks: number[] = [];
  await train({
    model: moeModel(network),
    weights: modelWeights(network),
    data: async function* () {
      for (let i = 0; i <= steps; i++) yield batch;
    },
    batchesPerEpoch: steps + 1,
    epochs: 1,
    objective: standard(),
    optimizer: sgd({ momentum: 0.9 }),
    schedule: constant({ base: 0.01 }),
    seed: 1,
    onEvent: ({ type }) => {
      const { user, system } = process.cpuUsage();
      if (type === 'step') marks.push((user + system) / 1000);
    },
  });
  network.dispose();
  return Math.min(...marks.slice(1).map((mark, i) => mark - marks[i]!));
}

/** A training step on wasm against the same step on the cpu engine. */
export async function* trainingRows({ quick }: BenchmarkOptions): AsyncGenerator<MeasuredRow> {
  const theirs = await stepTime('cpu', quick ? 1 : 3);
  const ours = await stepTime('wasm', quick ? 20 : 60);
  yield { name: 'wasm/quick-model/train-step', ours, theirs, unit: 'ms', limit: LIMIT };
}
