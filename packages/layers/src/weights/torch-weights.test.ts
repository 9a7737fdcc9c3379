import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { convGap, doubleConvGap, fixedRandomGate, gapFc, topKRouter } from '@moe/router';
import { ENGINE, expectTensorsKept } from '@moe/testing';
import { reshape, tensor, tidy, tile } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logitsFn } from '../model/logits-fn.js';
import { modelWeights } from '../model/model-weights.js';
import { moeModel } from '../model/moe-model.js';
import { build } from '../model/testing-fixtures.js';
import { resnet } from '../resnet.js';
import type { HostTensor, HostTensors } from '../safetensors/host-tensor.js';
import { readSafetensors } from '../safetensors/read-safetensors.js';
import { writeSafetensors } from '../safetensors/write-safetensors.js';
import type { ResnetOptions } from '../spec/resnet-spec.js';
import { loadWeights } from './load-weights.js';
import { loadTorchWeights, torchWeights } from './torch-weights.js';
import { weightValues } from './weight-values.js';

const here = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const router = (numExperts: number, topK: number, gate = gapFc()) => topKRouter({ numExperts, topK, gate, ...(topK > 1 && { normalise: 'released' }) });
const network = (depth: ResnetOptions['depth'], width: number, stem: ResnetOptions['stem'], size: number, classes: number, rest: Partial<ResnetOptions> = {}) => () =>
  resnet({ depth, width, stem, classes, inputShape: [size, size, 3], seed: 1, ...rest });

// The cases of fixtures/torch_models.py.
const COMMITTED = {
  dense: network(10, 2, 'imagenet', 32, 5),
  'block-moe': network(10, 2, 'cifar', 12, 3, { moe: { at: 'layer4', kind: 'block', router: router(3, 1) } }),
  'conv-moe': network(10, 2, 'cifar', 24, 3, { moe: { at: 'layer4', kind: 'conv', router: router(2, 2, convGap()) } }),
};
const ON_THE_SPOT = {
  resnet18: network(18, 8, 'imagenet', 48, 7),
  resnet34: network(34, 4, 'cifar', 16, 7),
  resnet50: network(50, 4, 'imagenet', 48, 7),
  'wide-resnet50-2': network(50, 3, 'imagenet', 48, 7, { widen: 2 }),
  'resnet18-block-moe': network(18, 8, 'cifar', 16, 7, { moe: { at: 'layer4', kind: 'block', router: router(4, 2) } }),
  'resnet18-conv-moe': network(18, 4, 'cifar', 24, 7, { moe: { at: 'layer4', kind: 'conv', router: router(4, 1, convGap()) } }),
  'resnet18-double-conv-gap': network(18, 4, 'cifar', 16, 7, { moe: { at: 'layer4.1', kind: 'block', router: router(4, 1, doubleConvGap()) } }),
  'resnet50-block-moe': network(50, 4, 'cifar', 16, 7, { moe: { at: 'layer4.1', kind: 'block', router: router(3, 1, fixedRandomGate()) } }),
};

/** The images of fixtures/torch_models.py, and the largest distance of the model's logits from those in the file. */
function distance(model: LayersModel, { shape, data }: HostTensor): number {
  const inputShape = model.inputs[0]!.shape.slice(1) as number[];
  const squares = inputShape[0]! / 4;
  const logits = tidy(() => {
    const colours = Float32Array.from({ length: 100 * squares * squares * 3 }, (_, i) => (Math.imul(i, 2_654_435_761) >>> 24) / 255);
    const pixels = tile(tensor(colours, [100, squares, 1, squares, 1, 3]), [1, 1, 4, 1, 4, 1]);
    return Array.from(logitsFn(moeModel(model))(reshape(pixels, [100, ...inputShape])).dataSync());
  });
  expect(shape).toEqual([100, logits.length / 100]);
  return logits.reduce((largest, value, i) => Math.max(largest, Math.abs(value - Number(data[i]))), 0);
}

/** Takes the logits out of a file, loads the rest, and compares. */
function expectSameLogits(make: () => LayersModel, bytes: Uint8Array): void {
  const tensors = new Map(readSafetensors(bytes).tensors);
  const logits = tensors.get('logits')!;
  tensors.delete('logits');
  const model = make();
  loadTorchWeights(model, tensors);
  expect(distance(model, logits)).toBeLessThan(1e-4);
  model.dispose();
}

describe('loadTorchWeights', () => {
  it.each(Object.keys(COMMITTED) as (keyof typeof COMMITTED)[])('makes the committed %s network give the logits that it gives in PyTorch, for 100 images', (name) => {
    expectSameLogits(COMMITTED[name], readFileSync(here(`fixtures/${name}.safetensors`)));
  });
});

const python = process.env['MOE_BENCH_PYTHON'] ?? 'python3';
const runs = ENGINE !== 'cpu' && spawnSync(python, ['-c', 'import torch, numpy'], { stdio: 'ignore' }).status === 0;

describe.skipIf(!runs)('loadTorchWeights, with networks that PyTorch makes on the spot', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'moe-torch-'));
    execFileSync(python, [here('fixtures/torch_models.py'), folder, ...Object.keys(ON_THE_SPOT)], { env: { ...process.env, OMP_NUM_THREADS: '1' } });
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(Object.keys(ON_THE_SPOT) as (keyof typeof ON_THE_SPOT)[])('%s gives the same logits for 100 images', (name) => {
    const file = join(folder, `${name}.safetensors`);
    execFileSync(python, [here('scripts/pt_to_safetensors.py'), join(folder, `${name}.pt`), file]);
    expectSameLogits(ON_THE_SPOT[name], readFileSync(file));
  });
});

describe('weights in and out', () => {
  const values = (tensors: HostTensors): readonly unknown[] => [...tensors].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, { shape, data }]) => [name, shape, Array.from(data as Float32Array)]);

  it.each(['block', 'conv'] as const)('come back through a file, in the names of this package and in those of PyTorch, with %s experts', (kind) => {
    const [from, own, torch] = [build({ kind }), build({ kind }), build({ kind })];
    tidy(() => modelWeights(from).forEach(({ variable }, i) => variable.assign(tensor(Float32Array.from({ length: variable.size }, (_, j) => i + j / 8), variable.shape))));
    expectTensorsKept(0, () => {
      loadWeights(own, readSafetensors(writeSafetensors(weightValues(from))).tensors);
      loadTorchWeights(torch, readSafetensors(writeSafetensors(torchWeights(from))).tensors);
      loadTorchWeights(torch, torchWeights(from, { prefix: 'net.', rename: (name) => name.replace('fc.', 'linear.') }), { rename: (name) => name.replace('fc.', 'linear.') });
    });
    expect(values(weightValues(own))).toEqual(values(weightValues(from)));
    expect(values(weightValues(torch))).toEqual(values(weightValues(from)));
    [from, own, torch].forEach((model) => model.dispose());
  });

  it('have the names and shapes of PyTorch', () => {
    const model = build({ kind: 'conv', at: 'layer4.0.downsample.0' });
    const shapes = new Map([...torchWeights(model)].map(([name, { shape }]) => [name, shape]));
    expect(shapes.get('conv1.weight')).toEqual([2, 2, 3, 3]);
    expect(shapes.get('layer4.0.downsample.0.experts.2.weight')).toEqual([16, 8, 1, 1]);
    expect(shapes.get('layer4.0.downsample.0.gate.network.2.weight')).toEqual([3, 8]);
    expect(shapes.get('layer4.0.downsample.0.gate.network.2.bias')).toEqual([3]);
    expect(shapes.get('layer4.0.downsample.1.running_var')).toEqual([16]);
    expect(shapes.get('fc.weight')).toEqual([3, 16]);
    model.dispose();
  });

  it('turn the axes of a kernel: PyTorch has [filter, channel, row, column]', () => {
    const model = build();
    const kernel = modelWeights(model).find(({ name }) => name === 'layer2.0.conv1/kernel')!.variable;
    const { shape, data } = torchWeights(model).get('layer2.0.conv1.weight')!;
    expect(shape).toEqual([4, 2, 3, 3]);
    const [row, column, channel, filter] = [2, 1, 1, 3];
    expect(data[((filter * 2 + channel) * 3 + row) * 3 + column]).toBe(kernel.dataSync()[((row * 3 + column) * 2 + channel) * 4 + filter]);
    model.dispose();
  });

  const good = (model: LayersModel): Map<string, HostTensor> => new Map(torchWeights(model));
  it.each<[string, (tensors: Map<string, HostTensor>) => unknown, string]>([
    ['a missing weight', (tensors) => tensors.delete('fc.bias'), "loadTorchWeights: tensors must hold every weight of the model, got none named 'fc.bias'."],
    ['no weight at all', (tensors) => tensors.clear(), 'and 91 more.'],
    ['a weight too many', (tensors) => tensors.set('layer4.1.conv1.weight', tensors.get('fc.bias')!), "tensors must belong to weights of the model, got 'layer4.1.conv1.weight'. Is it another network?"],
    ['another shape', (tensors) => tensors.set('fc.bias', { shape: [4], data: new Float32Array(4) }), "'fc.bias' must have the shape [3] of 'fc/bias', got [4]."],
    ['integers', (tensors) => tensors.set('fc.bias', { shape: [3], data: new Int32Array(3) }), "'fc.bias' must hold floating-point numbers, got Int32Array."],
  ])('refuse %s and leave the model as it was', (_, change, message) => {
    const model = build();
    const tensors = good(model);
    tensors.set('conv1.weight', { shape: [2, 2, 3, 3], data: new Float32Array(36) });
    change(tensors);
    const before = values(weightValues(model));
    expectTensorsKept(0, () => expect(() => loadTorchWeights(model, tensors)).toThrow(message));
    expect(values(weightValues(model))).toEqual(before);
    model.dispose();
  });

  it('ignore what lies outside the prefix, and counters', () => {
    const model = build();
    const tensors = new Map(torchWeights(model, { prefix: 'model.' }));
    tensors.set('loss.weight', { shape: [1], data: Float32Array.of(1) });
    tensors.set('model.bn1.num_batches_tracked', { shape: [], data: BigInt64Array.of(5n) });
    loadTorchWeights(model, tensors);
    expect(() => loadTorchWeights(model, tensors, { prefix: '' })).toThrow("got none named 'conv1.weight'");
    expect(() => loadTorchWeights(model, tensors, { prefx: '' } as never)).toThrow("unknown option 'prefx'");
    model.dispose();
  });

  it('refuse a checkpoint of another network under their own names', () => {
    const [model, other] = [build(), build({ kind: 'conv' })];
    expect(() => loadWeights(model, weightValues(other))).toThrow("loadWeights: tensors must hold every weight of the model, got none named 'layer4.0/router/kernel'");
    [model, other].forEach((each) => each.dispose());
  });
});
