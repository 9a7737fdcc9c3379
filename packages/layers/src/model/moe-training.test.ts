import { type ForwardOptions, createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { type Scalar, type Tensor, type Tensor4D, add, dispose, grad, memory, mul, profile, square, sum, tensor, tidy, variableGrads } from '@tensorflow/tfjs-core';
import { type LayersModel, layers } from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { resnet } from '../resnet.js';
import { modelWeights } from './model-weights.js';
import { moeModel } from './moe-model.js';
import { reestimateBatchNorm } from './reestimate-batch-norm.js';
import { ALL, E, TINY, build, images, logitsOf, sendAllTo, valuesOf } from './testing-fixtures.js';

describe('batch norm', () => {
  it('moves running statistics in training only, by a tenth, with the unbiased variance', () => {
    const network = resnet(TINY);
    const model = moeModel(network);
    const x = images(4);
    const running = (): number[] => valuesOf(network, /moving/);
    const start = running();
    logitsOf(model, x);
    logitsOf(model, x, { training: true, updateStatistics: false });
    expect(running()).toEqual(start);
    logitsOf(model, x, { training: true });
    expect(running()).not.toEqual(start);

    // By hand for the first batch norm, from the output of the first convolution.
    const stem = tidy(() => Array.from((network.getLayer('conv1').apply(x) as Tensor).dataSync()));
    const channel = stem.filter((_, i) => i % 2 === 0);
    const mean = channel.reduce((a, b) => a + b, 0) / channel.length;
    const unbiased = channel.reduce((total, value) => total + (value - mean) ** 2, 0) / (channel.length - 1);
    expect(valuesOf(network, /^bn1\/movingMean/)[0]!).toBeAllClose(0.1 * mean, { rtol: 1e-4 });
    expect(valuesOf(network, /^bn1\/movingVariance/)[0]!).toBeAllClose(0.9 + 0.1 * unbiased, { rtol: 1e-4 });
    network.dispose();
    x.dispose();
  });

  it('with the conventions of Keras is the batch norm of tfjs, in training and evaluation', () => {
    const network = resnet({ ...TINY, batchNorm: 'keras' });
    const x = images(4);
    tidy(() => {
      const features = network.getLayer('conv1').apply(x) as Tensor;
      const stock = layers.batchNormalization({ momentum: 0.99, epsilon: 1e-3 });
      expect(network.getLayer('bn1').apply(features, { training: true })).toBeAllClose(stock.apply(features, { training: true }) as Tensor, { rtol: 1e-4, atol: 1e-5 });
      expect(valuesOf(network, /^bn1\/moving/)).toBeAllClose(stock.getWeights().slice(2).flatMap((weight) => Array.from(weight.dataSync())), { rtol: 1e-4, atol: 1e-6 });
      expect(network.getLayer('bn1').apply(features)).toBeAllClose(stock.apply(features) as Tensor, { rtol: 1e-4, atol: 1e-5 });
    });
    network.dispose();
    x.dispose();
  });

  it.each([
    ['pytorch', 'block', 0.9],
    ['pytorch', 'stage', 0.9],
    ['keras', 'block', 0.99],
    ['keras', 'stage', 0.99],
  ] as const)('of %s, in and around a %s of experts, moves statistics by the same share everywhere', async (batchNorm, kind, kept) => {
    const network = build({ kind, batchNorm, topK: E, ...(kind === 'stage' && { innerWidth: () => 3, residual: true }) });
    const x = images(4);
    logitsOf(moeModel(network), x, { training: true });
    const [mean, variance] = [valuesOf(network, /movingMean/), valuesOf(network, /movingVariance/)];
    await reestimateBatchNorm(network, [x], { minRows: 1 });
    expect(mean).toBeAllClose(valuesOf(network, /movingMean/).map((seen) => (1 - kept) * seen), { rtol: 1e-3, atol: 1e-6 });
    expect(variance).toBeAllClose(valuesOf(network, /movingVariance/).map((seen) => kept + (1 - kept) * seen), { rtol: 1e-4 });
    network.dispose();
    x.dispose();
  });

  it('uses batch statistics in training whether or not it moves the running ones', () => {
    const network = resnet(TINY);
    const model = moeModel(network);
    const x = images(4);
    const frozen = logitsOf(model, x, { training: true, updateStatistics: false });
    expect(frozen).not.toBeAllClose(logitsOf(model, x), { rtol: 1e-2 });
    expect(logitsOf(model, x, { training: true })).toBeAllClose(frozen);
    network.dispose();
    x.dispose();
  });

  it('of an expert sees the rows of this expert alone, and nothing when it has none', () => {
    const network = build();
    const model = moeModel(network);
    const x = images();
    const initial = valuesOf(network, /expert[02]\/.*moving/);
    sendAllTo(network, 'layer4.0', 1);
    logitsOf(model, x, { training: true });
    expect(valuesOf(network, /expert[02]\/.*moving/)).toEqual(initial);
    expect(valuesOf(network, /expert1\/.*movingMean/).some((value) => value !== 0)).toBe(true);
    network.dispose();
    x.dispose();
  });

  it('of an expert in a mixed batch has the statistics of a batch of its rows', () => {
    const [mixed, alone] = [build(), build()];
    const x = images(16);
    const chosen = tidy(() => {
      const { routing } = moeModel(mixed).forward(x, { training: true, updateStatistics: false });
      return Array.from(routing[0]!.combineWeights.dataSync());
    });
    const rows = Array.from({ length: 16 }, (_, row) => row);
    const expert = ALL.map((_, e) => rows.filter((row) => chosen[row * E + e] === 1).length).findIndex((count) => count > 0 && count < 16);
    expect(expert, 'an expert with some rows, not all').toBeGreaterThanOrEqual(0);

    // The trunk is the same for both if its statistics are: feed the input of the MoE layer directly.
    const layer = (model: LayersModel): LayersModel['layers'][number] => model.getLayer('layer4.0');
    const features = tensor(createRng(9).uniform(16 * 2 * 2 * 8), [16, 2, 2, 8]) as Tensor4D;
    let weights: number[] = [];
    tidy(() => {
      const collect = ({ combineWeights }: { combineWeights: Tensor }): void => void (weights = Array.from(combineWeights.dataSync()));
      layer(mixed).apply(features, { training: true, moe: { options: { training: true }, collect, previous: () => undefined } });
      const values = features.arraySync();
      ALL.forEach((_, e) => {
        const own = values.filter((_, row) => weights[row * E + e] === 1);
        if (own.length > 0) layer(alone).apply(tensor(own) as Tensor4D, { training: true, moe: { options: { experts: { 'layer4.0': e } }, collect, previous: () => undefined } });
      });
    });
    expect(valuesOf(mixed, /layer4.*moving/)).toBeAllClose(valuesOf(alone, /layer4.*moving/), { rtol: 1e-4, atol: 1e-5 });
    mixed.dispose();
    alone.dispose();
    dispose([x, features]);
  });
});

describe('gradients', () => {
  it.each(['block', 'conv'] as const)('of a %s MoE reach the input, the chosen experts and the router', (kind) => {
    const network = build({ kind, topK: 2 });
    const model = moeModel(network);
    const x = images();
    const target = tensor(createRng(4).normal(24), [8, 3]);
    const loss = (inputs: Tensor): Scalar => {
      const { logits, auxLoss } = model.forward(inputs, { training: true });
      return add(sum(mul(square(logits), target)), auxLoss);
    };
    const trainable = modelWeights(network).filter((candidate) => candidate.trainable);
    const before = memory().numTensors;
    const { value, grads } = variableGrads(() => loss(x), trainable.map(({ variable }) => variable));
    for (const { name, variable } of trainable) {
      // An expert without rows has no gradient.
      const size = Math.max(...(grads[variable.name]?.dataSync().map(Math.abs) ?? []));
      if (/router|^conv1|^fc/.test(name)) expect(size, name).toBeGreaterThan(0);
      expect(size, name).toBeLessThan(Infinity);
    }
    expect(Object.keys(grads).some((name) => name.includes('/expert')), 'some expert has a gradient').toBe(true);
    dispose([value, grads]);
    const toInput = grad(loss)(x);
    expect(toInput.dataSync().some((slope) => slope !== 0)).toBe(true);
    toInput.dispose();
    expect(memory().numTensors, 'tensors kept').toBe(before);
    network.dispose();
    x.dispose();
    target.dispose();
  });

  it.each([
    ['running', {}],
    ['batch', { training: true, updateStatistics: false }],
  ])('to the input alone compute no filter gradient, with %s statistics', async (_, options: ForwardOptions) => {
    const network = build();
    const model = moeModel(network);
    const x = images(2);
    const { kernelNames } = await profile(() => tidy(() => grad((v: Tensor) => sum(model.forward(v, options).logits))(x)));
    expect(kernelNames).toContain('Conv2DBackpropInput');
    expect(kernelNames).not.toContain('Conv2DBackpropFilter');
    network.dispose();
    x.dispose();
  });

  it('to the input agree with central differences while every row keeps its expert', () => {
    const network = build();
    const model = moeModel(network);
    sendAllTo(network, 'layer4.0', 1);
    const x = images(2);
    const direction = tensor(createRng(8).normal(144, 0, 1), [2, 6, 6, 2]);
    const weights = tensor(createRng(7).normal(6), [2, 3]);
    const loss = (inputs: Tensor): Scalar => sum(mul(model.forward(inputs).logits, weights)) as Scalar;
    tidy(() => {
      const slope = sum(mul(grad(loss)(x), direction)).dataSync()[0]!;
      const at = (h: number): number => loss(add(x, mul(direction, h))).dataSync()[0]!;
      expect((at(1e-3) - at(-1e-3)) / 2e-3).toBeAllClose(slope, { rtol: 3e-2, atol: 1e-2 });
    });
    network.dispose();
    dispose([x, direction, weights]);
  });
});

describe('a noisy router', () => {
  it('draws anew in every training pass, reproducibly, and asks for an rng', () => {
    const network = build({ noiseStd: 50 });
    const model = moeModel(network);
    const x = images(8);
    const choices = (rng = createRng(2)): number[][] =>
      [0, 1].map(() => tidy(() => Array.from(model.forward(x, { training: true, updateStatistics: false, rng }).routing[0]!.combineWeights.dataSync())));
    const [first, second] = choices();
    expect(first).not.toEqual(second);
    expect(choices()).toEqual([first, second]);
    expectTensorsKept(0, () => expect(() => model.forward(x, { training: true })).toThrow('rng'));
    network.dispose();
    x.dispose();
  });
});
