// The engine itself, where it is installed: `pnpm backend install tensorflow`.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  backend,
  batchNorm,
  complex,
  concat,
  conv2d,
  depthwiseConv2d,
  getBackend,
  grads,
  imag,
  logicalNot,
  matMul,
  maxPool,
  memory,
  mul,
  real,
  relu,
  reshape,
  split,
  sum,
  tensor,
  tensor2d,
  tensor4d,
  tidy,
  train,
  variable,
} from '@tensorflow/tfjs-core';
import { layers, sequential } from '@tensorflow/tfjs-layers';
import { createRng } from '@moe/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../use-backend.js';
import type { Attribute } from './attributes.js';
import type { Binding } from './binding.js';
import { findTensorflow } from './installation.js';

const installed = findTensorflow() !== undefined;

/** The running engine, with what its kernels call. */
const running = () => backend() as unknown as { readonly binding: Binding; executeSingleOutput(name: string, attributes: readonly Attribute[], inputs: readonly Tensor[]): Tensor };

/** `MOE_LONG=1` takes as many as a short training has. */
const STEPS = process.env.MOE_LONG === '1' ? 10_000 : 300;

const rng = createRng(1);
const values = (shape: readonly number[]): Float32Array => rng.normal(shape.reduce((a, b) => a * b, 1));

/** Largest difference of every gradient between an engine and `cpu`, relative to the largest entry. */
async function compare(fn: (...x: Tensor[]) => Tensor, shapes: readonly (readonly number[])[]): Promise<number> {
  const inputs = shapes.map((shape) => values(shape));
  const on = async (engine: 'cpu' | 'tensorflow') => {
    await useBackend(engine);
    return tidy(() => {
      const x = inputs.map((data, i) => tensor(data, [...shapes[i]!]));
      const y = fn(...x);
      const weights = tensor(createRng(2).normal(y.size), y.shape);
      return [y, ...grads((...a: Tensor[]) => sum(mul(fn(...a), weights)))(x)].map((t) => Array.from(t.dataSync()));
    });
  };
  const [expected, actual] = [await on('cpu'), await on('tensorflow')];
  return Math.max(...expected.flatMap((row, i) => row.map((v, j) => Math.abs(v - actual[i]![j]!) / Math.max(...row.map(Math.abs)))));
}

describe.skipIf(!installed)('the engine tensorflow (skipped unless `pnpm backend install tensorflow` was run)', () => {
  beforeAll(async () => {
    await useBackend('tensorflow');
  });

  it("starts, says so, and is what 'auto' prefers", async () => {
    expect(await useBackend('auto')).toMatchObject({ engine: 'tensorflow', passedOver: [], devices: expect.arrayContaining(['CPU']), tensorflow: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
    expect(getBackend()).toBe('tensorflow');
    expect(running().binding.TF_Version).toBe('2.21.0');
  });

  it.each<[string, (...x: Tensor[]) => Tensor, number[][]]>([
    ['convolution', (x, f) => conv2d(x as Tensor4D, f as Tensor4D, 1, 'same'), [[2, 5, 6, 3], [3, 3, 3, 4]]],
    ['strided convolution', (x, f) => conv2d(x as Tensor4D, f as Tensor4D, 2, 'valid'), [[2, 7, 6, 3], [3, 2, 3, 4]]],
    ['convolution padded by a number', (x, f) => conv2d(x as Tensor4D, f as Tensor4D, 2, 1, 'NHWC', 1, 'floor'), [[2, 6, 7, 3], [3, 3, 3, 4]]],
    ['maximum pooling padded by a number', (x) => maxPool(x as Tensor4D, 3, 2, 1, 'floor'), [[2, 6, 7, 3]]],
    ['depthwise convolution', (x, f) => depthwiseConv2d(x as Tensor4D, f as Tensor4D, 1, 'same'), [[2, 5, 6, 3], [3, 3, 3, 2]]],
    ['convolution and ReLU', (x, f) => relu(conv2d(x as Tensor4D, f as Tensor4D, 1, 'same')), [[2, 5, 6, 3], [3, 3, 3, 4]]],
    ['ReLU', relu, [[4, 5]]],
    ['maximum pooling', (x) => maxPool(x as Tensor4D, 2, 2, 'valid'), [[2, 6, 6, 3]]],
    ['batch norm', (x, m, b, s) => batchNorm(x as Tensor4D, m as Tensor1D, tensor([1, 0.5, 2]) as Tensor1D, b as Tensor1D, s as Tensor1D), [[2, 4, 4, 3], [3], [3], [3]]],
    ['matrix product', (a, b) => matMul(a, b, true), [[4, 5], [4, 3]]],
  ])('computes the values and gradients of cpu: %s', async (_name, fn, shapes) => {
    expect(await compare(fn, shapes)).toBeLessThan(1e-5);
  });

  it('trains a LayersModel as cpu does', async () => {
    const [images, targets] = [values([8, 6, 6, 1]), values([8, 2])];
    const losses = async (engine: 'cpu' | 'tensorflow') => {
      await useBackend(engine);
      const init = () => ({ kernelInitializer: 'ones' as const });
      const model = sequential({ layers: [layers.conv2d({ filters: 3, kernelSize: 3, activation: 'relu', inputShape: [6, 6, 1], ...init() }), layers.batchNormalization(), layers.flatten(), layers.dense({ units: 2, ...init() })] });
      model.compile({ optimizer: train.sgd(1e-4), loss: 'meanSquaredError' });
      const [x, y] = [tensor4d(images, [8, 6, 6, 1]), tensor2d(targets, [8, 2])];
      const { history } = await model.fit(x, y, { epochs: 3, verbose: 0, shuffle: false });
      x.dispose();
      y.dispose();
      model.dispose();
      return history.loss as number[];
    };
    const [expected, actual] = [await losses('cpu'), await losses('tensorflow')];
    expected.forEach((loss, i) => expect(Math.abs(actual[i]! / loss - 1)).toBeLessThan(1e-4));
  });

  it('holds strings, also long ones and none', () => {
    const words = ['', 'héllo', 'a string that does not fit into the 22 bytes of a short one'];
    tidy(() => {
      expect(reshape(tensor(words), [3, 1]).arraySync()).toEqual(words.map((word) => [word]));
      expect(concat([tensor(words), tensor(['x'])]).arraySync()).toEqual([...words, 'x']);
      expect(tensor([], [0], 'string').arraySync()).toEqual([]);
      expect(reshape(tensor('alone'), [1]).arraySync()).toEqual(['alone']);
    });
  });

  it('holds bool and complex tensors, and empty ones', () => {
    tidy(() => {
      expect(logicalNot(tensor([true, false], [2], 'bool')).arraySync()).toEqual([0, 1]);
      const z = mul(complex([1, 2], [3, -1]), complex([0, 1], [1, 1]));
      expect([real(z).arraySync(), imag(z).arraySync()]).toEqual([
        [-3, 3],
        [1, 1],
      ]);
      expect(concat([tensor2d([], [0, 2]), tensor2d([[1, 2]])]).arraySync()).toEqual([[1, 2]]);
    });
  });

  it('holds int64 tensors, which tfjs makes of pairs of int32', () => {
    const { binding } = running();
    const id = binding.createTensor([2], binding.TF_INT64, new Int32Array([5, 0, -2, -1]));
    expect(binding.tensorDataSync(id)).toEqual(new BigInt64Array([5n, -2n]));
    expect(() => binding.createTensor([3], binding.TF_INT64, new Int32Array(4))).toThrow('createTensor: values of the shape [3] must have 24 bytes, got 16.');
    binding.deleteTensor(id);
    expect(() => binding.tensorDataSync(id)).toThrow(`tensor ${id} must exist`);
  });

  it('returns as many outputs as an operation has', () => {
    tidy(() => {
      expect(split(tensor([1, 2, 3, 4, 5, 6]), 6).map((t) => t.dataSync()[0])).toEqual([1, 2, 3, 4, 5, 6]);
    });
  });

  it("throws TensorFlow's errors with the name of the operation, keeps nothing, and goes on", () => {
    const before = running().binding.getNumOfTensors();
    const [a, b] = [tensor2d([[1, 2, 3]]), tensor2d([[1, 2, 3]])];
    expect(() => running().executeSingleOutput('MatMul', [], [a, b])).toThrow(/^MatMul: Matrix size-incompatible: In\[0\]: \[1,3\], In\[1\]: \[1,3\]$/);
    expect(() => running().executeSingleOutput('NoSuchOp', [], [a])).toThrow(/^NoSuchOp: /);
    expect(matMul(a, b, false, true).dataSync()[0]).toBe(14);
    tidy(() => undefined);
    a.dispose();
    b.dispose();
    expect(running().binding.getNumOfTensors()).toBe(before + 1);
  });

  it(`keeps no tensor and no memory over ${STEPS} steps`, () => {
    const w = variable(tensor4d(values([3, 3, 8, 8]), [3, 3, 8, 8]));
    const x = tensor4d(values([16, 16, 16, 8]), [16, 16, 16, 8]);
    const optimizer = train.momentum(1e-6, 0.9);
    const step = () => {
      optimizer.minimize(() => sum(relu(conv2d(x, w as Tensor4D, 1, 'same'))), false, [w]);
      tidy(() => concat([tensor(['a string that does not fit into a short one']), tensor(['b'])]).dataSync());
    };
    for (let i = 0; i < 100; i++) step();
    const before = { tensors: memory().numTensors, handles: running().binding.getNumOfTensors(), rss: process.memoryUsage.rss() };
    for (let i = 0; i < STEPS; i++) step();
    expect(memory().numTensors).toBe(before.tensors);
    expect(running().binding.getNumOfTensors()).toBe(before.handles);
    // One step makes 3 MB of tensors, hence a leak of any of them at least 150 MB.
    expect(process.memoryUsage.rss() - before.rss).toBeLessThan(60e6);
    [w, x].forEach((t: Tensor2D | Tensor) => t.dispose());
    optimizer.dispose();
  });

  it('is silent, uses the threads that it is given, and ends cleanly with tensors left', () => {
    const source = new URL('../index.ts', import.meta.url).href;
    const script = `import { useBackend } from ${JSON.stringify(source)}; import { square, tensor } from '@tensorflow/tfjs-core';
      const { threads, devices } = await useBackend('tensorflow', { threads: 1, gpu: false, gpuMemoryFraction: 0.5 }); console.log(threads, ...devices, square(tensor([3])).dataSync()[0]);`;
    const cwd = fileURLToPath(new URL('../..', import.meta.url));
    const output = execFileSync('sh', ['-c', '"$0" "$@" 2>&1', process.execPath, '--conditions=@moe/source', '--import', 'tsx', '--input-type=module', '-e', script], { cwd, encoding: 'utf8' });
    expect(output).toBe('1 CPU 9\n');
  });
});
