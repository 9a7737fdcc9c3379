import { createRng } from '@moe/core';
import { type Router, gapFc, softmaxRouter, topKRouter } from '@moe/router';
import { expectTensorsKept } from '@moe/testing';
import { type Tensor, memory, tensor, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { mlp } from '../mlp.js';
import { modelWeights } from '../model/model-weights.js';
import { moeModel } from '../model/moe-model.js';
import { preactResnet, resnet, wideResnet } from '../resnet.js';
import { resnetSpec } from '../spec/resnet-spec.js';
import { vit } from '../vit.js';
import { describeNetwork } from './describe-network.js';
import { extractExperts } from './extract-experts.js';
import { type UpcycleOptions, upcycle } from './upcycle.js';

const base = { classes: 3, inputShape: [8, 8, 3], seed: 5 } as const;
const small = { ...base, depth: 10, width: 2, stem: 'cifar' } as const;
const router = (topK = 1): Router => topKRouter({ numExperts: 3, topK, gate: gapFc() });
const images = (): Tensor => tensor(createRng(3).uniform(6 * 192), [6, 8, 8, 3]);

/** Logits in evaluation, or with one expert for every row. */
const logits = (model: LayersModel, experts?: Readonly<Record<string, number>>): number[] =>
  tidy(() => Array.from(moeModel(model).forward(images(), experts === undefined ? {} : { experts }).logits.dataSync()));

/** Every weight random, running statistics too. */
function randomise(model: LayersModel): LayersModel {
  modelWeights(model).forEach(({ name, variable }) => tidy(() => variable.assign(tensor(createRng(2).stream(name).uniform(variable.size, 0.2, 0.6), variable.shape))));
  return model;
}

const NETWORKS: readonly [string, () => LayersModel, Omit<UpcycleOptions, 'router'>][] = [
  ['blocks of a ResNet', () => resnet(small), { at: 'layer4', kind: 'block' }],
  ['all blocks of a ResNet', () => resnet({ ...small, normalize: { mean: [0.5, 0.4, 0.3], std: [0.2, 0.2, 0.2] }, stem: 'imagenet', batchNorm: 'keras' }), { at: ['layer1', 'layer2', 'layer3', 'layer4'], kind: 'block' }],
  ['one bottleneck', () => resnet({ ...small, depth: 50 }), { at: 'layer4.1', kind: 'block' }],
  ['convolutions of a ResNet', () => resnet(small), { at: 'layer4', kind: 'conv' }],
  ['one convolution', () => resnet(small), { at: 'layer3.0.conv2', kind: 'conv', downsample: false }],
  ['blocks of a wide ResNet', () => wideResnet({ ...base, depth: 10, widen: 1 }), { at: 'layer3', kind: 'block' }],
  ['blocks of a preactivation ResNet', () => preactResnet({ ...base, width: 2, blocks: [1, 2] }), { at: 'layer2', kind: 'block' }],
  ['feed-forward layers of a transformer', () => vit({ ...base, patch: 4, width: 8, depth: 2, hidden: 12, heads: 2 }), { at: 'block1.mlp', kind: 'dense' }],
];

describe('upcycle', () => {
  it.each(NETWORKS)('%s: computes what the dense network does, to the bit with one expert a row', (_, make, place) => {
    const dense = randomise(make());
    const sparse = upcycle(dense, { ...place, router: router() });
    expect(moeModel(sparse).moeLayers.length).toBeGreaterThan(0);
    expect(moeModel(sparse).moeLayers.every(({ numExperts }) => numExperts === 3)).toBe(true);
    expect(logits(sparse)).toEqual(logits(dense));
    const soft = upcycle(dense, { ...place, router: softmaxRouter({ numExperts: 3, gate: gapFc() }) });
    expect(logits(soft)).toBeAllClose(logits(dense), { rtol: 1e-4, atol: 1e-5 });
    [dense, sparse, soft].forEach((model) => model.dispose());
  });

  it('has experts in hidden layers of an MLP', () => {
    const dense = mlp({ ...base, hidden: [6, 5] });
    const sparse = upcycle(dense, { at: 'hidden1', kind: 'dense', router: router() });
    expect(logits(sparse)).toEqual(logits(dense));
    [dense, sparse].forEach((model) => model.dispose());
  });

  it('describes the network as the constructor with experts does', () => {
    const dense = resnet({ ...small, depth: 18 });
    const moe = { at: 'layer4.1', kind: 'block', router: router() } as const;
    const sparse = upcycle(dense, moe);
    const built = resnet({ ...small, depth: 18, moe });
    const names = (model: LayersModel): readonly unknown[] => modelWeights(model).map(({ name, variable, trainable }) => [name, variable.shape, trainable]);
    expect(names(sparse)).toEqual(names(built));
    [dense, sparse, built].forEach((model) => model.dispose());
  });

  it('gives experts of their own: training one moves neither the others nor the dense network', () => {
    const dense = resnet(small);
    const sparse = upcycle(dense, { at: 'layer4', kind: 'block', router: router() });
    const before = logits(dense);
    const [first, second] = [logits(sparse, { 'layer4.0': 0 }), logits(sparse, { 'layer4.0': 1 })];
    expect(first).toEqual(second);
    const kernel = modelWeights(sparse).find(({ name }) => name === 'layer4.0/expert0/conv1/kernel')!.variable;
    tidy(() => kernel.assign(tensor(createRng(9).normal(kernel.size), kernel.shape)));
    expect(logits(sparse, { 'layer4.0': 0 })).not.toEqual(first);
    expect(logits(sparse, { 'layer4.0': 1 })).toEqual(second);
    expect(logits(dense)).toEqual(before);
    [dense, sparse].forEach((model) => model.dispose());
  });

  it('disturbs kernels, each expert in its own way, by the given share of their spread', () => {
    const dense = resnet({ ...small, width: 4 });
    const sparse = upcycle(dense, { at: 'layer4', kind: 'block', router: router(), noise: 0.1 });
    const values = (model: LayersModel, name: string): Float32Array => Float32Array.from(modelWeights(model).find((weight) => weight.name === name)!.variable.dataSync());
    const kernel = values(dense, 'layer4.0.conv2/kernel');
    const std = (numbers: Float32Array): number => Math.sqrt(numbers.reduce((total, v) => total + v * v, 0) / numbers.length);
    const differences = [0, 1, 2].map((expert) => values(sparse, `layer4.0/expert${expert}/conv2/kernel`).map((v, i) => v - kernel[i]!));
    // 9216 draws: their spread is known to within 4/√(2·9216) = 3 %.
    for (const difference of differences) expect(std(difference) / std(kernel)).toBeWithin(0.097, 0.103);
    expect(differences[0]).not.toBeAllClose(differences[1]!, { atol: 1e-3 });
    expect(values(sparse, 'layer4.0/expert1/bn1/gamma')).toEqual(values(dense, 'layer4.0.bn1/gamma'));
    expect(values(sparse, 'layer3.0.conv2/kernel')).toEqual(values(dense, 'layer3.0.conv2/kernel'));
    [dense, sparse].forEach((model) => model.dispose());
  });

  it('keeps nothing alive after dispose, and nothing when it throws', () => {
    const dense = resnet(small);
    const before = memory().numTensors;
    upcycle(dense, { at: 'layer4', kind: 'block', router: router() }).dispose();
    upcycle(dense, { at: 'layer4', kind: 'conv', router: router(), noise: 1 }).dispose();
    expect(memory().numTensors).toBe(before);
    expect(logits(dense)).toHaveLength(18);
    dense.dispose();
  });

  it.each<[object, string]>([
    [{ at: 'layer5' }, "upcycle: at must be a place in the network, got 'layer5'. Valid places: layer1, layer1.0,"],
    [{ at: 'layer3.0' }, "got 'layer3.0'"],
    [{ kind: 'stage' }, "upcycle: kind must be one of 'block', 'conv', 'dense', got 'stage'."],
    [{ downsample: false }, "upcycle: downsample must be left out with kind 'block', got false."],
    [{ noise: -1 }, 'upcycle: noise must be a finite number ≥ 0, got -1.'],
    [{ router: 3 }, 'upcycle: router must be a Router or a function that returns one, got 3.'],
    [{ nois: 1 }, "upcycle: unknown option 'nois'."],
  ])('refuses %j', (options, message) => {
    const model = resnet({ ...small, moe: { at: 'layer3', kind: 'block', router: router() } });
    expectTensorsKept(0, () => expect(() => upcycle(model, { at: 'layer4', kind: 'block', router: router(), ...options } as UpcycleOptions)).toThrow(message));
    model.dispose();
  });
});

describe('describeNetwork', () => {
  it('is the inverse of building', () => {
    const options = { ...small, depth: 18, stem: 'imagenet', normalize: { mean: [0, 0, 0], std: [1, 1, 1] }, moe: { at: 'layer4', kind: 'conv', router: router() } } as const;
    const model = resnet(options);
    const sorted = ({ layers, ...rest }: ReturnType<typeof resnetSpec>): object => JSON.parse(JSON.stringify({ ...rest, layers: [...layers].sort((a, b) => (a.name < b.name ? -1 : 1)) })) as object;
    // The layers also tell the defaults that a description leaves out.
    expect(sorted(describeNetwork('test', model))).toMatchObject(sorted(resnetSpec(options)));
    model.dispose();
  });
});

describe('extractExperts', () => {
  it.each(NETWORKS)('%s: computes what the sparse network does with fixed experts', (_, make, place) => {
    const dense = randomise(make());
    const sparse = randomise(upcycle(dense, { ...place, router: router() }));
    const experts = Object.fromEntries(moeModel(sparse).moeLayers.map(({ name }, i) => [name, (i + 1) % 3]));
    const extracted = extractExperts(sparse, experts);
    expect(moeModel(extracted).moeLayers).toEqual([]);
    expect(modelWeights(extracted).map(({ name }) => name)).toEqual(modelWeights(dense).map(({ name }) => name));
    expect(logits(extracted)).toEqual(logits(sparse, experts));
    expect(logits(extracted)).not.toBeAllClose(logits(sparse, Object.fromEntries(Object.keys(experts).map((name) => [name, 0]))), { rtol: 1e-3 });
    [dense, sparse, extracted].forEach((model) => model.dispose());
  });

  it('leaves MoE layers that are not named, and the network itself', () => {
    const sparse = resnet({ ...small, depth: 18, moe: { at: 'layer4', kind: 'block', router: router() } });
    const before = logits(sparse);
    const extracted = extractExperts(sparse, { 'layer4.1': 2 });
    expect(moeModel(extracted).moeLayers.map(({ name }) => name)).toEqual(['layer4.0']);
    expect(logits(extracted)).toEqual(logits(sparse, { 'layer4.1': 2 }));
    expect(logits(sparse)).toEqual(before);
    [sparse, extracted].forEach((model) => model.dispose());
  });

  it('refuses layers and experts that do not exist', () => {
    const sparse = resnet({ ...small, moe: { at: 'layer4', kind: 'block', router: router() } });
    expectTensorsKept(0, () => {
      expect(() => extractExperts(sparse, { 'layer3.0': 0 })).toThrow("extractExperts: experts must name MoE layers that have a dense form (layer4.0), got 'layer3.0'.");
      expect(() => extractExperts(sparse, { 'layer4.0': 3 })).toThrow("extractExperts: experts['layer4.0'] must be an integer in [0, 2], got 3.");
    });
    sparse.dispose();
  });
});
