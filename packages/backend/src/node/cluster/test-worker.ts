// One worker of the tests, under TF_CONFIG: plays the scene of its argument, and prints what it saw as one line of JSON.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Tensor, enableProdMode, memory, tensor, tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { useBackend } from '../../use-backend.js';
import { readConfiguration } from './configuration.js';
import { type Cluster, connectCluster } from './connect-cluster.js';
import { findLostWorkers } from './lost-workers.js';
import { ROWS, trainOn } from './test-training.js';

/** Values of a tensor that is of no more use. */
function take(t: Tensor): number[] {
  const values = Array.from(t.dataSync());
  t.dispose();
  return values;
}

const read = (tensors: Readonly<Record<string, Tensor>>) => Object.fromEntries(Object.entries(tensors).map(([key, t]) => [key, take(t)]));

async function messageOf(call: () => Promise<unknown>) {
  const start = Date.now();
  const message = await call().then(
    () => 'no error',
    (error: Error) => error.message,
  );
  return { message, seconds: (Date.now() - start) / 1000 };
}

async function exchange(cluster: Cluster) {
  const { rank, size } = cluster;
  const before = memory().numTensors;
  const own = { count: tensor1d([rank, 1], 'int32'), weight: tensor2d([[rank + 0.5, 2 ** rank, -1]]), none: tensor([], [0]) };
  const noise = tensor(createRng(rank + 1).normal(100_003));
  const calls = [cluster.allReduce(own), cluster.allReduce([own.weight], 'mean'), cluster.broadcast(own, size - 1), cluster.allReduce(noise)] as const;
  for (const t of [...Object.values(own), noise]) t.dispose();
  const [sum, [mean], sent, noises] = await Promise.all(calls);
  const { shape } = sum.weight;
  const bits = createHash('sha256').update(Float32Array.from(take(noises))).digest('hex');
  return { shape, sum: read(sum), mean: take(mean as Tensor), sent: read(sent), bits, kept: memory().numTensors - before };
}

async function wait(cluster: Cluster) {
  if (cluster.rank === 0) await sleep(700);
  const arrived = Date.now();
  let ticks = 0;
  const timer = setInterval(() => ticks++, 50);
  await cluster.barrier();
  clearInterval(timer);
  return { arrived, left: Date.now(), ticks };
}

async function agree(cluster: Cluster) {
  const part = ROWS / cluster.size;
  const result = {
    rank: cluster.rank,
    size: cluster.size,
    exchange: await exchange(cluster),
    wait: await wait(cluster),
    weights: await trainOn(cluster.rank * part, (cluster.rank + 1) * part, (gradients) => cluster.allReduce(gradients, 'mean')),
    rules: [
      await messageOf(() => cluster.allReduce(tensor1d([1], 'int32'), 'mean')),
      await messageOf(() => cluster.allReduce({ flag: tensor1d([true]) })),
      await messageOf(() => cluster.broadcast(tensor1d([1]), cluster.size)),
    ].map(({ message }) => message),
  };
  await cluster.close();
  return { ...result, closed: (await messageOf(() => cluster.barrier())).message };
}

/** Threads of this process, where they can be counted. */
const threads = () => (existsSync('/proc/self/task') ? readdirSync('/proc/self/task').length : 0);

/** The same few calls again and again, one by one and queued. */
async function repeat(cluster: Cluster) {
  const { rank, size } = cluster;
  const wrong: number[] = [];
  let before = 0;
  for (let round = 0; round < 50; round++) {
    if (round === 5) before = threads();
    const own = [tensor1d([rank, round, 1]), tensor1d([rank, round, 1, 0, 0])] as const;
    const calls = [cluster.allReduce(own[0]), cluster.allReduce(own[0], 'mean'), cluster.broadcast(own[0], size - 1), cluster.broadcast(own[0], 0), cluster.allReduce(own[1])];
    const found = (await Promise.all(calls)).flatMap(take);
    const total = (size * (size - 1)) / 2;
    const expected = [total, size * round, size, total / size, round, 1, size - 1, round, 1, 0, round, 1, total, size * round, size, 0, 0];
    if (found.length !== expected.length || found.some((value, i) => value !== expected[i])) wrong.push(round);
    for (const t of own) t.dispose();
  }
  const started = threads() - before;
  await cluster.close();
  return { wrong, started };
}

/** Waits until the process of another worker has ended. */
async function end(): Promise<void> {
  const { workers, rank } = readConfiguration({}, process.env);
  while ((await findLostWorkers(workers, rank, false)).length === 0) await sleep(50);
}

const SCENES: Readonly<Record<string, (cluster: Cluster) => Promise<unknown>>> = {
  agree,
  repeat,
  /** The last worker dies in the midst of a run. */
  async die(cluster) {
    const x = tensor1d([1, 2, 3, 4, 5]);
    (await cluster.allReduce(x)).dispose();
    if (cluster.rank === cluster.size - 1) process.kill(process.pid, 'SIGKILL');
    return { first: await messageOf(() => cluster.allReduce(x)), next: await messageOf(() => cluster.barrier()) };
  },
  /** The last worker makes no more calls. */
  async stall(cluster) {
    if (cluster.rank < cluster.size - 1) return { first: await messageOf(() => cluster.barrier()) };
    await end();
    return {};
  },
  /** The workers disagree about the shape. */
  differ: async (cluster) => ({ first: await messageOf(() => cluster.allReduce(tensor(new Float32Array(10 + cluster.rank)))) }),
  /** The first worker ends in the midst of a call. */
  async leave(cluster) {
    if (cluster.rank === 0) {
      void cluster.barrier();
      await sleep(300);
      process.exit(3);
    }
    await end();
    return { first: await messageOf(() => cluster.barrier()) };
  },
};

const [scene, timeoutSeconds, connectTimeoutSeconds] = process.argv.slice(2);
enableProdMode();
await useBackend('cpu');
const cluster = await connectCluster({ timeoutSeconds: Number(timeoutSeconds), connectTimeoutSeconds: Number(connectTimeoutSeconds) });
process.stdout.write(JSON.stringify(await SCENES[scene as string]?.(cluster)));
