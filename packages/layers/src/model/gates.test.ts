// Every gate network within a network: routed, trained, saved, counted.
import { createRng } from '@moe/core';
import { type GateNetwork, convFc, convGap, doubleConvGap, equalGate, firstChannelsGate, fixedRandomGate, gapFc, prototypeGate, softmaxRouter, topKRouter, voronoiRouter } from '@moe/router';
import { expectTensorsKept } from '@moe/testing';
import { type Scalar, type Tensor, type Tensor4D, add, conv2d, dispose, matMul, mean, moments, square, sum, tensor, tidy, variableGrads } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countMacs, countParameters } from '../counting/count.js';
import { resnet } from '../resnet.js';
import type { MoeOptions } from '../spec/network-options.js';
import { type ResnetOptions, resnetSpec } from '../spec/resnet-spec.js';
import { modelWeights } from './model-weights.js';
import { moeModel } from './moe-model.js';
import { reestimateBatchNorm } from './reestimate-batch-norm.js';
import { logitsOf, reload, valuesOf, weight } from './testing-fixtures.js';

const OPTIONS: ResnetOptions = { depth: 10, width: 2, stem: 'cifar', classes: 3, inputShape: [8, 8, 3], seed: 5 };
const E = 2;
let x: Tensor4D;
beforeAll(() => void (x = tensor(createRng(3).uniform(8 * 192), [8, 8, 8, 3])));
afterAll(() => x.dispose());
const withGate = (gate: GateNetwork, rest: Partial<MoeOptions> = {}): ResnetOptions => ({ ...OPTIONS, moe: { at: ['layer2', 'layer3'], kind: 'block', router: softmaxRouter({ numExperts: E, gate }), ...rest } });

/** Slopes of a loss in all weights that are trained, by name. */
function slopesOf(network: LayersModel): ReadonlyMap<string, number> {
  const trained = modelWeights(network).filter(({ trainable }) => trainable);
  const view = moeModel(network);
  const { value, grads } = variableGrads(() => sum(square(view.forward(x, { training: true, updateStatistics: false }).logits)) as Scalar, trained.map(({ variable }) => variable));
  const slopes = new Map(trained.map(({ name, variable }) => [name, Math.max(...(grads[variable.name]?.dataSync() ?? [0]).map(Math.abs))]));
  dispose([value, grads]);
  return slopes;
}

describe.each([
  ['gapFc', gapFc(), ['kernel', 'bias']],
  ['convGap', convGap(), ['kernel']],
  ['doubleConvGap', doubleConvGap(), ['conv/kernel', 'bn/gamma', 'bn/beta', 'kernel']],
  ['convFc', convFc({ features: 5 }), ['convKernel', 'convBias', 'kernel', 'bias']],
  ['prototypeGate', prototypeGate(), ['prototypes']],
  ['fixedRandomGate', fixedRandomGate(), []],
  ['firstChannelsGate, a single entry of the channels for each expert', firstChannelsGate({ numExperts: E }), []],
  ['equalGate', equalGate({ numExperts: E }), []],
] as const)('%s', (_, gate, trained) => {
  it('routes, learns, counts, and comes back from a file', async () => {
    const network = resnet(withGate(gate));
    logitsOf(moeModel(network), x, { training: true });
    expect([countParameters(network), countMacs(network)]).toEqual([countParameters(resnetSpec(withGate(gate))), countMacs(resnetSpec(withGate(gate)))]);
    const slopes = slopesOf(network);
    const ofGates = [...slopes].filter(([name]) => name.includes('/router/'));
    expect(ofGates.map(([name]) => name)).toEqual(['layer2.0', 'layer3.0'].flatMap((layer) => trained.map((name) => `${layer}/router/${name}`)));
    for (const [name, slope] of ofGates) expect(slope, name).toBeGreaterThan(1e-7);
    const copy = await reload(network);
    expect(logitsOf(moeModel(copy), x)).toEqual(logitsOf(moeModel(network), x));
    [network, copy].forEach((model) => model.dispose());
  });
});

describe('doubleConvGap in a network', () => {
  const build = (): LayersModel => resnet({ ...OPTIONS, moe: { at: 'layer2.0.conv1', kind: 'conv', router: topKRouter({ numExperts: E, gate: doubleConvGap({ kernel: 3, features: 4 }) }) } });
  const PLACE = 'layer2.0.conv1';
  const STATE = new RegExp(`^${PLACE}/router/bn/moving`);
  /** Statistics of the gate's first convolution at what the layer sees. */
  const seen = (network: LayersModel): number[] =>
    tidy(() => {
      // The first stage ends in batch norms, which see the batch while training.
      let h: Tensor = x;
      for (const name of ['conv1', 'bn1', 'relu']) h = network.getLayer(name).apply(h, { training: true, moe: { options: { updateStatistics: false } } }) as Tensor;
      let b = h;
      for (const name of ['conv1', 'bn1', 'relu1', 'conv2', 'bn2']) b = network.getLayer(`layer1.0.${name}`).apply(b, { training: true, moe: { options: { updateStatistics: false } } }) as Tensor;
      const input = network.getLayer('layer1.0.relu2').apply(add(h, b)) as Tensor4D;
      const convolved = conv2d(input, weight(network, `${PLACE}/router/conv/kernel`) as unknown as Tensor4D, 1, 'valid');
      const { mean: average, variance } = moments(convolved, [0, 1, 2]);
      const n = convolved.size / 4;
      return [...average.dataSync(), ...variance.dataSync().map((value) => (value * n) / (n - 1))];
    });

  it('moves its running statistics in training alone, by a tenth, and not when told not to', () => {
    const network = build();
    const start = valuesOf(network, STATE);
    expect(start).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    logitsOf(moeModel(network), x);
    logitsOf(moeModel(network), x, { training: true, updateStatistics: false });
    expect(valuesOf(network, STATE)).toEqual(start);
    const batch = seen(network);
    expectTensorsKept(0, () => logitsOf(moeModel(network), x, { training: true }));
    expect(valuesOf(network, STATE)).toBeAllClose(batch.map((value, i) => 0.9 * start[i]! + 0.1 * value), { rtol: 1e-3, atol: 1e-5 });
    network.dispose();
  });

  it('gets the statistics of all images from reestimateBatchNorm', async () => {
    const network = build();
    const batch = seen(network);
    const report = await reestimateBatchNorm(network, [x], { minRows: 1 });
    expect(report.find(({ name }) => name === `${PLACE}/router/bn`)).toEqual({ name: `${PLACE}/router/bn`, rows: 8, updated: true });
    expect(valuesOf(network, STATE)).toBeAllClose(batch, { rtol: 1e-3, atol: 1e-5 });
    expect(modelWeights(network).filter(({ name, trainable }) => STATE.test(name) && trainable)).toEqual([]);
    network.dispose();
  });

  it('is counted as two convolutions, one behind the other', () => {
    const macs = countMacs(resnetSpec(withGate(doubleConvGap({ kernel: 3 }), { at: 'layer2', kind: 'block' })));
    const dense = countMacs(resnetSpec(withGate(equalGate({ numExperts: E }), { at: 'layer2', kind: 'block' })));
    // Maps of 8 × 8 × 2: 6 × 6 positions of the first, 4 × 4 of the second.
    expect(macs - dense).toBe(9 * 2 * 8 * 36 + 9 * 8 * E * 16);
  });
});

describe('voronoiRouter in a network', () => {
  it('routes by the mean colour of the image, and comes back from a file', async () => {
    const network = resnet({ ...OPTIONS, moe: { at: 'layer4', kind: 'block', gateFrom: 'image', router: voronoiRouter({ prototypes: [[0.5, 0.5, 0.48], [0.5, 0.5, 0.52]] }) } });
    const copy = await reload(network);
    tidy(() => {
      const blue = (mean(x, [1, 2]).arraySync() as number[][]).map((colour) => Number(colour[2]! > 0.5));
      const chosen = (moeModel(network).forward(x).routing[0]!.combineWeights.arraySync() as number[][]).map((row) => row.indexOf(1));
      expect(chosen).toEqual(blue);
      expect(new Set(chosen).size).toBe(2);
    });
    expect(logitsOf(moeModel(copy), x)).toEqual(logitsOf(moeModel(network), x));
    [network, copy].forEach((model) => model.dispose());
  });
});

describe('one gate for several layers', () => {
  const options = withGate(gapFc(), { gateFrom: { features: 5 } });

  it('is one convolution of the image, and a linear layer for each', async () => {
    const network = resnet(options);
    tidy(() => {
      const image = add(mean(conv2d(x, weight(network, 'gate/kernel') as unknown as Tensor4D, 1, 'valid'), [1, 2]), weight(network, 'gate/bias'));
      const { routing } = moeModel(network).forward(x);
      expect(routing.map(({ layer }) => layer)).toEqual(['layer2.0', 'layer3.0']);
      for (const { layer, gateLogits } of routing) {
        const logits = add(matMul(image as never, weight(network, `${layer}/router/kernel`) as never), weight(network, `${layer}/router/bias`));
        expect(gateLogits).toBeAllClose(logits, { rtol: 1e-4, atol: 1e-5 });
      }
    });
    const slopes = slopesOf(network);
    for (const name of ['gate/kernel', 'gate/bias', 'layer2.0/router/kernel', 'layer3.0/router/kernel']) expect(slopes.get(name), name).toBeGreaterThan(1e-7);
    const copy = await reload(network);
    expect(logitsOf(moeModel(copy), x)).toEqual(logitsOf(moeModel(network), x));
    [network, copy].forEach((model) => model.dispose());
  });

  it('costs its convolution once', () => {
    const network = resnet(options);
    const without = resnetSpec(withGate(equalGate({ numExperts: E })));
    const gates = 9 * 3 * 5;
    expect(countParameters(network)).toBe(countParameters(resnetSpec(options)));
    expect(countParameters(network) - countParameters(without)).toBe(gates + 5 + 2 * (5 * E + E));
    expect(countMacs(network)).toBe(countMacs(resnetSpec(options)));
    expect(countMacs(network) - countMacs(without)).toBe(gates * 36 + 2 * 5 * E);
    network.dispose();
  });

  it('is not made where nothing mixes, and refuses features and images that are none', () => {
    const one = softmaxRouter({ numExperts: 1, gate: gapFc() });
    expect(resnetSpec(withGate(gapFc(), { gateFrom: { features: 5 }, router: one })).layers.some(({ name }) => name === 'gate')).toBe(false);
    expect(() => resnetSpec(withGate(gapFc(), { gateFrom: { features: 0 } }))).toThrow('resnet: moe.gateFrom.features must be an integer ≥ 1, got 0.');
    expect(() => resnetSpec(withGate(gapFc(), { gateFrom: 'features' as never }))).toThrow("resnet: moe.gateFrom must be one of 'input', 'image', got 'features'.");
    expect(() => resnet({ ...options, inputShape: [2, 8, 3] })).toThrow("GateFeatures: input of 'gate' must be at least 3 × 3 pixels");
  });
});
