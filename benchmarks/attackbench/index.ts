import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type MinimumNormAttack, carliniWagner, ddn, deepFool, fmn, hopSkipJump } from '@moe/attacks';
import { useBackend } from '@moe/backend';
import { findTensorflow } from '@moe/backend/node';
import { type LogitsFn, createRng } from '@moe/core';
import { fashionMnist } from '@moe/datasets/node';
import { argMax, dispose, engine, tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';
import type { Benchmark, MeasuredRow } from '../benchmark.js';
import type { NamedTensor } from '../pytorch/subject.js';
import { areaUnderCurve, largestFinite, localOptimality, median, nearestOfAll } from './curves.js';
import { type Training, trainVictim } from './victims.js';

/** An attack in a norm, with as many steps and on as many images on both sides. */
interface Job {
  readonly attack: string;
  readonly norm: 'Linf' | 'L2' | 'L1';
  readonly steps: number;
  readonly images: number;
}

/** What an attack found on one victim; passes by the image. */
interface Found {
  readonly attack: string;
  readonly norm: string;
  readonly distances: readonly number[];
  readonly forward: number;
  readonly backward: number;
}

type PeerFound = Found & { readonly peer: string; readonly versions: string };

/** Of the published implementation's median distance. */
const MEDIAN_LIMIT = 1.01;
/** Of the margin in Carlini & Wagner's attack, on both sides; a hundred times the published one, whose way up takes most of the searches. */
const FIRST_WEIGHT = 0.1;
const EPOCHS = { standard: 3, robust: 8 } satisfies Record<Training, number>;

function jobs(quick: boolean): Job[] {
  const images = quick ? 20 : 100;
  return [
    { attack: 'deepFool', norm: 'L2', steps: 50, images },
    { attack: 'deepFool', norm: 'Linf', steps: 50, images },
    { attack: 'ddn', norm: 'L2', steps: 100, images },
    { attack: 'fmn', norm: 'L2', steps: 100, images },
    { attack: 'fmn', norm: 'Linf', steps: 100, images },
    { attack: 'fmn', norm: 'L1', steps: 100, images },
    { attack: 'carliniWagner', norm: 'L2', steps: 100, images },
    { attack: 'hopSkipJump', norm: 'L2', steps: quick ? 2 : 10, images: 20 },
    { attack: 'hopSkipJump', norm: 'Linf', steps: quick ? 2 : 10, images: 20 },
  ];
}

/** Our attack; `queries` is what the peer asked, for attacks with a budget of their own. */
function ours({ attack, norm, steps }: Job, queries: number): MinimumNormAttack {
  if (attack === 'deepFool') return deepFool({ norm, steps });
  if (attack === 'ddn') return ddn({ steps });
  if (attack === 'fmn') return fmn({ norm, steps });
  if (attack === 'carliniWagner') return carliniWagner({ steps, firstWeight: FIRST_WEIGHT });
  return hopSkipJump({ norm: norm === 'Linf' ? norm : 'L2', queries });
}

/** Runs one of our attacks on the first images, counting passes. */
function run(job: Job, queries: number, model: LogitsFn, images: NamedTensor, labels: Int32Array): Found {
  let [forward, backward] = [0, 0];
  const counted: LogitsFn = (inputs) => {
    forward += inputs.shape[0]!;
    if (engine().state.gradientDepth > 0) backward += inputs.shape[0]!;
    return model(inputs);
  };
  const size = images.values.length / labels.length;
  const x = tensor(images.values.slice(0, job.images * size), [job.images, ...images.shape.slice(1)]);
  const y = tensor1d(labels.slice(0, job.images), 'int32');
  const { distances, ...tensors } = ours(job, queries).perturb(counted, x, y, { rng: createRng(1) });
  dispose([x, y, ...Object.values(tensors)]);
  return { attack: job.attack, norm: job.norm, distances: Array.from(distances), forward: forward / job.images, backward: backward / job.images };
}

/** What the peers in Python find on the same weights and images. */
async function runPeers(python: string, tensors: readonly NamedTensor[], work: readonly Job[]): Promise<PeerFound[]> {
  const folder = await mkdtemp(join(tmpdir(), 'moe-bench-'));
  try {
    await writeFile(join(folder, 'tensors.json'), JSON.stringify(tensors.map(({ name, shape }) => ({ name, shape }))));
    await writeFile(join(folder, 'tensors.bin'), Buffer.concat(tensors.map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength))));
    await writeFile(join(folder, 'jobs.json'), JSON.stringify(work.map((job) => ({ ...job, firstWeight: FIRST_WEIGHT }))));
    const { stdout, stderr } = await promisify(execFile)(python, [fileURLToPath(new URL('minimum_norms.py', import.meta.url)), folder], { maxBuffer: 2 ** 26 });
    process.stderr.write(stderr.split('\n').filter((line) => line.startsWith('attackbench:')).map((line) => `${line}\n`).join(''));
    const lines = stdout.trim().split('\n').map((line) => JSON.parse(line) as PeerFound & { readonly distances: readonly (number | null)[] });
    return lines.map((found) => ({ ...found, distances: found.distances.map((away) => away ?? Infinity) }));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The first images of the test set that the victim classifies rightly. */
async function rightImages(model: LogitsFn, count: number): Promise<{ images: NamedTensor; labels: Int32Array }> {
  const data = await fashionMnist({ split: 'test' });
  const batch = await data.read(Array.from({ length: 3 * count }, (_, i) => i));
  const predicted = tidy(() => argMax(model(tensor(batch.inputs.slice(), [...batch.shape])), 1).dataSync());
  const size = batch.inputs.length / batch.labels.length;
  const right = Array.from(batch.labels.keys()).filter((i) => predicted[i] === batch.labels[i]).slice(0, count);
  const values = Float32Array.from(right.flatMap((i) => Array.from(batch.inputs.subarray(i * size, (i + 1) * size))));
  return { images: { name: 'images', shape: [right.length, ...batch.shape.slice(1)], values }, labels: Int32Array.from(right, (i) => batch.labels[i]!) };
}

const share = (value: number): string => value.toFixed(4);
const passes = ({ forward, backward }: Found): string => `${Math.round(forward)} + ${Math.round(backward)}`;

/** Two rows for each attack and peer: the median distance, and the area under the security-evaluation curve. */
function* compare(prefix: string, mine: readonly Found[], theirs: readonly PeerFound[]): Generator<MeasuredRow> {
  for (const found of mine) {
    const same = [...mine, ...theirs].filter(({ norm, distances }) => norm === found.norm && distances.length >= found.distances.length);
    const best = nearestOfAll(same.map(({ distances }) => distances.slice(0, found.distances.length)));
    const limit = largestFinite(best);
    for (const peer of theirs.filter(({ attack, norm }) => attack === found.attack && norm === found.norm)) {
      const name = `${prefix}/${found.attack}-${found.norm}/${peer.peer.split(' ')[0]}`;
      const optimality = [found, peer].map(({ distances }) => share(localOptimality(distances, best))).join(' against ');
      const conditions = `${found.distances.length} images; forward + backward passes an image ${passes(found)} against ${passes(peer)}; local optimality ${optimality}; ${peer.versions}`;
      yield { name: `${name}/median-distance`, ours: median(found.distances), theirs: median(peer.distances), unit: found.norm, limit: MEDIAN_LIMIT, conditions };
      yield { name: `${name}/area-under-curve`, ours: areaUnderCurve(found.distances, limit), theirs: areaUnderCurve(peer.distances, limit), unit: found.norm, conditions };
    }
  }
}

/** Attacks for the nearest misclassified point against published implementations, on the same weights and images, with the same number of steps. */
const attackbench: Benchmark = async function* ({ quick, engine: only }) {
  const python = process.env['MOE_BENCH_PYTHON'];
  if (python === undefined || python === '') {
    console.error('bench: the environment variable MOE_BENCH_PYTHON must name a Python that has PyTorch and foolbox, and adv-lib for more peers (`DIR/bin/pip install torch numpy foolbox adv-lib`).');
    process.exit(2);
  }
  const name = only ?? (findTensorflow() === undefined ? 'wasm' : 'tensorflow');
  await useBackend(name, name === 'tensorflow' ? { threads: 1 } : {});
  for (const kind of ['standard', 'robust'] satisfies Training[]) {
    const victim = await trainVictim(kind, quick ? 1 : EPOCHS[kind]);
    const work = jobs(quick);
    const { images, labels } = await rightImages(victim.model, Math.max(...work.map((job) => job.images)));
    const truth: NamedTensor = { name: 'labels', shape: [labels.length], values: Float32Array.from(labels) };
    const theirs = await runPeers(python, [...victim.weights, images, truth], work);
    const mine = work.map((job) => {
      const peer = theirs.find(({ attack, norm }) => attack === job.attack && norm === job.norm);
      return run(job, Math.round(peer?.forward ?? 1000), victim.model, images, labels);
    });
    victim.dispose();
    yield* compare(`${name}/cnn28-${kind}`, mine, theirs);
  }
};

export default attackbench;
