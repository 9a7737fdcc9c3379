import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { useBackend } from '@moe/backend';
import { createRng } from '@moe/core';
import { moeModel, resnet } from '@moe/layers';
import { certifySmoothed, convBound, convSingularValues, dense, lipSdp, relu, sequence } from '@moe/lipschitz';
import { type Tensor, argMax, dispose, tensor, tidy } from '@tensorflow/tfjs-core';
import type { Benchmark, MeasuredRow } from '../benchmark.js';
import { timed } from '../side.js';
import { interleave } from '../timing.js';

/** A solver may take that many times our time at least. */
const SOLVER_LIMIT = 1 / 50;
const GRAM_LIMIT_MS = 5000;

interface Answer {
  readonly cpu: number;
  readonly versions: string;
}

/** Runs one job of the peer, with one thread. */
function ask<T extends Answer>(python: string, job: object): Promise<T> {
  const env = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' };
  return new Promise((resolve, reject) => {
    const child = execFile(python, [fileURLToPath(new URL('peer.py', import.meta.url))], { env, maxBuffer: 2 ** 26 }, (error, stdout) => {
      if (error === null) resolve(JSON.parse(stdout) as T);
      else reject(error);
    });
    child.stdin!.end(JSON.stringify(job));
  });
}

/** Normal weights of variance 1/n, rows for outputs. */
function matricesOf(widths: readonly number[]): Float64Array[] {
  const rng = createRng(1);
  return widths.slice(1).map((outputs, i) => Float64Array.from(rng.normal(outputs * widths[i]!, 0, 1 / Math.sqrt(widths[i]!))));
}

async function* lipSdpRows(python: string, widths: readonly number[], rounds: number): AsyncGenerator<MeasuredRow> {
  const matrices = matricesOf(widths);
  const layers = matrices.map((matrix, i) => {
    const [inputs, outputs] = [widths[i]!, widths[i + 1]!];
    return dense({ kernel: { shape: [inputs, outputs], values: Float64Array.from({ length: matrix.length }, (_, k) => matrix[(k % outputs) * inputs + Math.floor(k / outputs)]!) } });
  });
  const network = sequence(layers.flatMap((layer, i) => (i === 0 ? [layer] : [relu(), layer])));
  let bound = Infinity;
  const [ours] = interleave([() => void (bound = lipSdp(network).bound.value)], rounds);
  const theirs = await ask<Answer & { bound: number }>(python, { do: 'lip-sdp', widths, matrices: matrices.map((matrix) => Array.from(matrix)) });
  const name = `lip-sdp/${widths.join('-')}`;
  const conditions = `the inequality reduced by W1 W1'; one thread each; ${theirs.versions}`;
  yield { name: `${name}/time`, ours, theirs: theirs.cpu, unit: 'ms', limit: SOLVER_LIMIT, conditions };
  yield { name: `${name}/bound`, ours: bound, theirs: theirs.bound, unit: 'L2', limit: 1.001, conditions };
}

/** Every convolution of a ResNet-18 on 32×32, from its Gram matrices; the bar is a time. */
async function gramRow(width: number): Promise<MeasuredRow> {
  const rng = createRng(1);
  const shapes: { shape: number[]; inputSize: number; strides: number }[] = [{ shape: [3, 3, 3, width], inputSize: 32, strides: 1 }];
  for (let stage = 0; stage < 4; stage++) {
    const [channels, size] = [width * 2 ** stage, 32 / 2 ** stage];
    const before = stage === 0 ? channels : channels / 2;
    const stride = stage === 0 ? 1 : 2;
    shapes.push({ shape: [3, 3, before, channels], inputSize: size * stride, strides: stride });
    for (let i = 0; i < 3; i++) shapes.push({ shape: [3, 3, channels, channels], inputSize: size, strides: 1 });
    if (stage > 0) shapes.push({ shape: [1, 1, before, channels], inputSize: size * stride, strides: stride });
  }
  const kernels = shapes.map(({ shape }) => ({ shape, values: rng.normal(shape.reduce((a, b) => a * b)) }));
  const { cpu } = await timed(() => kernels.forEach((kernel, i) => convBound(kernel, { inputSize: shapes[i]!.inputSize, strides: shapes[i]!.strides, padding: 'same' })));
  return { name: `gram/resnet18-w${width}`, ours: cpu, theirs: GRAM_LIMIT_MS, unit: 'ms', limit: 1, conditions: '20 convolutions on 32x32, one thread' };
}

/** Randomised smoothing of several inputs in one call against bare passes over as many rows. */
async function smoothingRow(draws: number, inputs: number): Promise<MeasuredRow> {
  await useBackend('wasm');
  const network = resnet({ depth: 10, width: 8, stem: 'cifar', classes: 10, inputShape: [28, 28, 1], seed: 1 });
  const { forward } = moeModel(network);
  const model = (x: Tensor) => forward(x).logits;
  const batchSize = 100;
  const images = tensor(createRng(2).uniform(784 * inputs), [inputs, 28, 28, 1]);
  const rows = tensor(createRng(3).normal(784 * batchSize), [batchSize, 28, 28, 1]);
  const best = { ours: Infinity, theirs: Infinity };
  for (let round = -1; round < 3; round++) {
    const ours = await timed(() => certifySmoothed(model, images, { sigma: 0.25, seed: 1, selectionDraws: batchSize, draws, batchSize }));
    const theirs = await timed(() => {
      for (let done = 0; done < inputs * (draws + batchSize); done += batchSize) tidy(() => argMax(model(rows), 1).dataSync());
    });
    if (round >= 0) Object.assign(best, { ours: Math.min(best.ours, ours.cpu), theirs: Math.min(best.theirs, theirs.cpu) });
  }
  dispose([images, rows]);
  network.dispose();
  return { name: `wasm/smoothing/resnet10-w8/inputs=${inputs}`, ...best, unit: 'ms', limit: 1.1 };
}

/** Bounds against solvers and NumPy, and certificates by smoothing against bare passes. */
const lipschitz: Benchmark = async function* ({ quick }) {
  const python = process.env['MOE_BENCH_PYTHON'];
  if (python === undefined || python === '') {
    console.error('bench: the environment variable MOE_BENCH_PYTHON must name a Python that has NumPy, cvxpy and SCS (`DIR/bin/pip install numpy cvxpy scs`).');
    process.exit(2);
  }
  // Inputs of one call share batches of noise, which a single one pays for alone.
  yield await smoothingRow(quick ? 400 : 2000, 1);
  yield await smoothingRow(quick ? 100 : 500, 16);
  const kernel = { shape: [3, 3, 64, 64], values: createRng(1).normal(9 * 64 * 64) };
  const [ours] = interleave([() => void convSingularValues(kernel, { inputSize: 32 })], 4);
  const theirs = await ask(python, { do: 'singular-values', kernel: Array.from(kernel.values), shape: kernel.shape, size: 32 });
  yield { name: 'singular-values/3x3x64x64/32x32', ours, theirs: theirs.cpu, unit: 'ms', limit: 2, conditions: `one thread each; ${theirs.versions}` };
  yield await gramRow(16);
  yield* lipSdpRows(python, [784, 50, 10], 20);
  if (quick) return;
  yield await gramRow(64);
  yield* lipSdpRows(python, [784, 256, 256, 10], 2);
};

export default lipschitz;
