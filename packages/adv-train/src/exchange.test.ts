import { type NamedTensorMap, addN, div, tensor2d, tidy } from '@tensorflow/tfjs-core';
import type { Batch } from '@moe/core';
import { pgd } from '@moe/attacks';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { pgdAdversarial } from './objectives/pgd-adversarial.js';
import { adam } from './optimizers/adam.js';
import { sgd } from './optimizers/sgd.js';
import { tinyBatches } from './testing/data.js';
import { type TestModel, mlp, moeMlp } from './testing/models.js';
import { memoryStore } from './testing/store.js';
import { tinyRun } from './testing/tiny-run.js';
import { toyMoe } from './testing/toy-moe.js';
import type { Exchange, TrainOptions } from './train-options.js';

/** Stands for a cluster: waits until as many runs of this process have come, and gives each the means. */
function meeting(count: number): Exchange {
  let waiting: { readonly tensors: NamedTensorMap; readonly resolve: (means: NamedTensorMap) => void }[] = [];
  return (tensors) =>
    new Promise((resolve) => {
      waiting.push({ tensors, resolve });
      if (waiting.length < count) return;
      const all = waiting;
      waiting = [];
      const means = () => tidy(() => Object.fromEntries(Object.keys(tensors).map((name) => [name, div(addN(all.map((party) => party.tensors[name]!)), count)])));
      for (const party of all) party.resolve(means());
    });
}

/** Rows of each batch of twelve. */
const rows = (from: number, to: number) =>
  async function* part(epoch: number): AsyncGenerator<Batch> {
    for await (const { inputs, labels, ids } of tinyBatches(12, 12)(epoch)) {
      yield { inputs: inputs.slice(from * 4, to * 4), labels: labels.slice(from, to), ids: ids.slice(from, to), shape: [to - from, 2, 2, 1] };
    }
  };

const run = async (make: () => TestModel, changes: Partial<TrainOptions>): Promise<Record<string, number[]>> => {
  const target = make();
  try {
    await tinyRun(target, { batchesPerEpoch: 1, ...changes });
    return target.values();
  } finally {
    target.dispose();
  }
};

/** Weights after training on parts of 4 and of 8 rows side by side. */
const together = (make: () => TestModel, changes: Partial<TrainOptions>) =>
  expectTensorsKept(0, async () => {
    const exchange = meeting(2);
    return Promise.all([rows(0, 4), rows(4, 12)].map((data) => run(make, { ...changes, data, exchange })));
  });

const objective = pgdAdversarial({ attack: pgd({ eps: 0.1, steps: 2, goal: 'maxLoss' }), batchNorm: 'running', auxWeight: 0 });

describe('exchange', () => {
  it.each<[string, () => TestModel, Partial<TrainOptions>]>([
    ['a dense network', () => mlp(1, 4, 8, 2), { optimizer: adam(), clipNorm: 0.3 }],
    ['routed experts', () => toyMoe({ router: [[3, -3], [-3, 3], [1, 0], [0, 1]], experts: [0, 1].map((e) => [0, 1, 2, 3].map((d) => [Math.sin(d + e), Math.cos(3 * d + e)])) }), {}],
  ])('trains %s on two parts to the weights of the joined batch, the same bits on both sides', async (_, make, changes) => {
    const options = { objective, epochs: 3, ...changes };
    const [first, second] = await together(make, options);
    expect(first).toEqual(second);
    const alone = await run(make, { ...options, data: rows(0, 12) });
    for (const [name, values] of Object.entries(alone)) expect(first![name]!, name).toBeAllClose(values, { rtol: 1e-4, atol: 1e-5 });
  });

  it('neither moves nor decays an expert that no side used', async () => {
    // Hidden numbers are not negative, so that the router sends all rows to expert 0.
    const make = (): TestModel => {
      const target = moeMlp(1);
      const router = target.weights.find(({ name }) => name === 'moe/router')!;
      tidy(() => router.variable.assign(tensor2d(Array.from({ length: 8 }, () => [9, -9, -9]))));
      return target;
    };
    const [first] = await together(make, { optimizer: sgd({ weightDecay: 0.1 }) });
    const before = make();
    expect(first!['moe/expert1']).toEqual(before.values()['moe/expert1']);
    expect(first!['moe/expert0']).not.toEqual(before.values()['moe/expert0']);
    before.dispose();
  });

  it('makes running statistics those of all sides, and goes on from a checkpoint with the same bits', async () => {
    const checkpoints = [memoryStore(), memoryStore()];
    const both = (seed: number, stores: readonly ReturnType<typeof memoryStore>[]) => {
      const exchange = meeting(2);
      return expectTensorsKept(0, () => Promise.all([rows(0, 6), rows(6, 12)].map((data, i) => run(() => moeMlp(seed), { data, exchange, epochs: 3, checkpoint: stores[i]! }))));
    };
    const [first, second] = await both(1, checkpoints);
    expect(first).toEqual(second);
    expect(first!['bn/mean']).not.toEqual(new Array(8).fill(0));
    const [again] = await both(99, checkpoints.map(({ written }) => memoryStore(written[0])));
    expect(again).toEqual(first);
  });

  it('keeps no tensor, and leaves the weights, where another side is lost', async () => {
    const target = moeMlp(1);
    const before = target.values();
    const lost: Exchange = () => Promise.reject(new Error('a worker is lost'));
    await expectTensorsKept(0, () => expect(tinyRun(target, { exchange: lost, batchesPerEpoch: 1, optimizer: sgd() })).rejects.toThrow('a worker is lost'));
    for (const name of ['moe/router', 'in/kernel']) expect(target.values()[name]).toEqual(before[name]);
    target.dispose();
  });
});
