import { type ForwardOptions, type MoeModel, createRng } from '@moe/core';
import { type Router, gapFc, topKRouter } from '@moe/router';
import { expectTensorsKept } from '@moe/testing';
import { type Scalar, type Tensor, type Tensor4D, type Variable, add, cast, clone, dispose, grad, memory, mul, profile, split, square, sum, tensor, tensor1d, tensor2d, tidy, variableGrads } from '@tensorflow/tfjs-core';
import { type LayersModel, type SymbolicTensor, input, layers, model as asModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resnet } from '../resnet.js';
import type { ResnetMoeOptions, ResnetOptions } from '../spec/resnet-spec.js';
import { logitsFn } from './logits-fn.js';
import { modelWeights } from './model-weights.js';
import { moeModel } from './moe-model.js';

const TINY: ResnetOptions = { depth: 10, width: 2, stem: 'cifar', classes: 3, inputShape: [6, 6, 2], seed: 5 };
const E = 3;
const ALL = new Array<boolean>(E).fill(true);

const build = ({ topK = 1, numExperts = E, noiseStd = 0, ...rest }: Partial<ResnetMoeOptions> & { topK?: number; numExperts?: number; noiseStd?: number } = {}): LayersModel => {
  const router = topKRouter({ numExperts, topK, gate: gapFc(), noiseStd, balance: { loss: 'switchLoss', weight: 0.5 } });
  return resnet({ ...TINY, moe: { at: 'layer4', kind: 'block', router, ...rest } });
};

const images = (count = 8, seed = 3): Tensor4D => tensor(createRng(seed).uniform(count * 72), [count, 6, 6, 2]);

/** Values that a forward pass gives; nothing is kept. */
const logitsOf = (model: MoeModel, inputs: Tensor, options?: ForwardOptions): number[] => tidy(() => Array.from(model.forward(inputs, options).logits.dataSync()));

const weight = (model: LayersModel, name: string): Variable => modelWeights(model).find((candidate) => candidate.name === name)!.variable;
const valuesOf = (model: LayersModel, pattern: RegExp): number[] => modelWeights(model).filter(({ name }) => pattern.test(name)).flatMap(({ variable }) => Array.from(variable.dataSync()));

/** Makes the experts of a layer copies of expert 0. */
function equaliseExperts(model: LayersModel, layer: string): void {
  for (const { name, variable } of modelWeights(model)) {
    const other = new RegExp(`^${layer}/expert\\d+/(.*)$`).exec(name);
    if (other !== null) tidy(() => variable.assign(clone(weight(model, `${layer}/expert0/${other[1]!}`))));
  }
}

/** Makes a GAP-FC gate send every row to one expert. */
const sendAllTo = (model: LayersModel, layer: string, expert: number): void =>
  tidy(() => weight(model, `${layer}/router/bias`).assign(tensor1d(ALL.map((_, e) => (e === expert ? 100 : 0)))));

describe('moeModel of a BlockMoe network', () => {
  let network: LayersModel;
  let model: MoeModel;
  let x: Tensor4D;
  beforeAll(() => {
    network = build();
    model = moeModel(network);
    x = images();
  });
  afterAll(() => {
    network.dispose();
    x.dispose();
  });

  it('lists its MoE layers with the facts of their router', () => {
    expect(model.moeLayers).toEqual([{ name: 'layer4.0', numExperts: E, topK: 1, batchInvariant: true, continuous: false }]);
  });

  it('gives logits, one routing per MoE layer and the sum of the balance losses', () => {
    tidy(() => {
      const { logits, routing, auxLoss } = model.forward(x);
      expect(logits).toHaveShape([8, 3]);
      expect(routing.map(({ layer }) => layer)).toEqual(['layer4.0']);
      expect(routing[0]!.gates).toHaveShape([8, E]);
      expect(sum(routing[0]!.gates, 1)).toBeAllClose(new Array(8).fill(1));
      expect(sum(routing[0]!.combineWeights, 1)).toBeAllClose(new Array(8).fill(1));
      expect(auxLoss).toBeAllClose(routing[0]!.auxLoss);
      expect(routing[0]!.droppedFraction).toBe(0);
    });
  });

  it('keeps exactly the tensors it returns, and none when it throws', () => {
    const result = expectTensorsKept(6, () => model.forward(x, { training: true }));
    dispose([result.logits, result.auxLoss]);
    result.routing.forEach(({ gateLogits, gates, combineWeights, auxLoss }) => dispose([gateLogits, gates, combineWeights, auxLoss]));
    expectTensorsKept(0, () => expect(() => model.forward(x, { experts: { 'layer4.0': 3 } })).toThrow());
    expectTensorsKept(2, () => model.forward(x, { experts: { 'layer4.0': 2 } }));
  });

  it('leaves everything to an enclosing tidy', () => expectTensorsKept(0, () => tidy(() => void model.forward(x))));

  it('with a fixed expert equals a gate that chooses this expert for every row', () => {
    const fixed = [0, 1, 2].map((expert) => logitsOf(model, x, { experts: { 'layer4.0': expert } }));
    expect(fixed[0]).not.toBeAllClose(fixed[1]!, { rtol: 1e-2 });
    const before = weight(network, 'layer4.0/router/bias').dataSync();
    for (const expert of [0, 1, 2]) {
      sendAllTo(network, 'layer4.0', expert);
      expect(logitsOf(model, x)).toBeAllClose(fixed[expert]!, { rtol: 1e-4, atol: 1e-5 });
    }
    tidy(() => weight(network, 'layer4.0/router/bias').assign(tensor1d(before)));
  });

  it('has no routing for a fixed expert, whose gate is not evaluated', () => {
    tidy(() => {
      const { routing, auxLoss } = model.forward(x, { experts: { 'layer4.0': 1 } });
      expect(routing).toEqual([]);
      expect(auxLoss).toBeAllClose(0);
    });
  });

  it('never chooses an expert outside a mask; a mask of one equals the fixed expert', () => {
    tidy(() => {
      const { routing } = model.forward(x, { experts: { 'layer4.0': [true, false, true] } });
      const [, middle] = split(routing[0]!.combineWeights, E, 1);
      expect(middle!).toBeAllClose(new Array(8).fill(0));
      expect(logitsOf(model, x, { experts: { 'layer4.0': [false, false, true] } })).toBeAllClose(logitsOf(model, x, { experts: { 'layer4.0': 2 } }), { rtol: 1e-4, atol: 1e-5 });
    });
  });

  it.each<[ForwardOptions, string]>([
    [{ experts: { 'layer3.0': 0 } }, "forward: experts must name MoE layers (layer4.0), got 'layer3.0'."],
    [{ experts: { 'layer4.0': 3 } }, "forward: experts['layer4.0'] must be an integer in [0, 2], got 3."],
    [{ experts: { 'layer4.0': [true] } }, "forward: experts['layer4.0'] must be an expert index or one boolean per expert (3), got [true]."],
    [{ experts: { 'layer4.0': [false, false, false] } }, "forward: experts['layer4.0'] must allow at least one expert, got [false, false, false]."],
    [{ gate: { temperature: 0 } }, 'forward: gate.temperature must be a finite number'],
    [{ updateStatistics: true }, 'forward: updateStatistics must not be true outside training, got true.'],
    [{ train: true } as ForwardOptions, "forward: unknown option 'train'. Did you mean 'training'?"],
  ])('refuses %j', (options, message) => {
    expectTensorsKept(0, () => expect(() => model.forward(x, options)).toThrow(message));
  });

  it('refuses inputs of another shape', () => {
    tidy(() => void expect(() => model.forward(tensor2d([[1]]))).toThrow('forward: inputs must have shape [B,6,6,2], got [1,1].'));
    tidy(() => void expect(() => model.forward(cast(x, 'int32'))).toThrow("forward: inputs must have dtype 'float32', got 'int32'. Scale pixels to [0, 1]."));
  });

  it('with a relaxed gate has the same logits and another input gradient', () => {
    const direction = tensor(createRng(6).normal(24), [8, 3]);
    const gradient = (options: ForwardOptions): number[] => tidy(() => Array.from(grad((v: Tensor) => sum(mul(model.forward(v, options).logits, direction)))(x).dataSync()));
    expect(logitsOf(model, x, { gate: { temperature: 2 } })).toBeAllClose(logitsOf(model, x), { rtol: 1e-4, atol: 1e-5 });
    expect(gradient({ gate: { temperature: 2 } })).not.toBeAllClose(gradient({}), { rtol: 1e-2, atol: 1e-3 });
    direction.dispose();
  });

  it('gives logitsFn one tensor per call, equal to forward in evaluation mode', () => {
    const fn = logitsFn(model, { experts: { 'layer4.0': 1 } });
    const logits = expectTensorsKept(1, () => fn(x));
    expect(logits).toBeAllClose(logitsOf(model, x, { experts: { 'layer4.0': 1 } }));
    logits.dispose();
    expectTensorsKept(0, () => expect(() => logitsFn(model, { experts: { nowhere: 1 } })(x)).toThrow('nowhere'));
  });
});

describe('experts', () => {
  it('that are all equal make the MoE network equal to one expert, for any k', () => {
    for (const options of [{ topK: 1 }, { topK: 2 }, { topK: 3 }, { topK: 2, kind: 'conv' as const, at: 'layer4.0.conv1' }]) {
      const network = build(options);
      const layer = moeModel(network).moeLayers[0]!.name;
      equaliseExperts(network, layer);
      const x = images();
      expect(logitsOf(moeModel(network), x)).toBeAllClose(logitsOf(moeModel(network), x, { experts: { [layer]: 0 } }), { rtol: 1e-4, atol: 1e-5 });
      network.dispose();
      x.dispose();
    }
  });

  it('with the weights of the dense block give the logits of the dense network', () => {
    const network = build({ at: 'layer2', kind: 'block' });
    const plain = resnet(TINY);
    for (const { name, variable } of modelWeights(network)) {
      const source = name.startsWith('layer2.0/expert') ? name.replace(/^layer2\.0\/expert\d\/(.*)\/(\w+)$/, 'layer2.0.$1/$2') : name;
      if (!name.includes('/router/')) tidy(() => variable.assign(clone(weight(plain, source))));
    }
    const x = images();
    expect(logitsOf(moeModel(network), x)).toBeAllClose(logitsOf(moeModel(plain), x), { rtol: 1e-4, atol: 1e-5 });
    dispose([x]);
    network.dispose();
    plain.dispose();
  });

  it('are none at all with E = 1: the network is the dense one, bit for bit', () => {
    const [single, dense] = [build({ numExperts: 1 }), resnet(TINY)];
    const x = images();
    expect(moeModel(single).moeLayers).toEqual([]);
    expect(logitsOf(moeModel(single), x)).toEqual(logitsOf(moeModel(dense), x));
    single.dispose();
    dense.dispose();
    x.dispose();
  });

  it('are at every convolution of the place with kind conv, the skip included unless it is excluded', () => {
    const names = (rest: Partial<ResnetMoeOptions>): string[] => {
      const network = build({ kind: 'conv', ...rest });
      const found = moeModel(network).moeLayers.map(({ name }) => name);
      network.dispose();
      return found;
    };
    expect(names({ at: 'layer4' }).sort()).toEqual(['layer4.0.conv1', 'layer4.0.conv2', 'layer4.0.downsample.0']);
    expect(names({ at: 'layer4', downsample: false })).toEqual(['layer4.0.conv1', 'layer4.0.conv2']);
    expect(names({ at: ['layer2.0.conv2', 'conv1'] })).toEqual(['conv1', 'layer2.0.conv2']);
  });

  it('start independently of each other, Kaiming-normal by fan-in', () => {
    const network = build({ at: 'layer4.0.conv1', kind: 'conv' });
    const kernels = [0, 1].map((e) => valuesOf(network, new RegExp(`expert${e}/kernel`)));
    expect(kernels[0]).not.toBeAllClose(kernels[1]!, { rtol: 0.1 });
    // 3·3·8 inputs: variance 2/72; 1152 samples give it to within 4·√(2/1152) = 17 %.
    for (const kernel of kernels) expect(kernel.reduce((total, v) => total + v * v, 0) / kernel.length / (2 / 72)).toBeWithin(0.83, 1.17);
    network.dispose();
  });
});

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
      layer(mixed).apply(features, { training: true, moe: { options: { training: true }, collect } });
      const values = features.arraySync();
      ALL.forEach((_, e) => {
        const own = values.filter((_, row) => weights[row * E + e] === 1);
        if (own.length > 0) layer(alone).apply(tensor(own) as Tensor4D, { training: true, moe: { options: { experts: { 'layer4.0': e } }, collect } });
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

describe('moeModel of several and of nested models', () => {
  it('steers and reports the MoE layers inside a nested model', () => {
    const inner = build({ at: ['layer2', 'layer4'] });
    const image = input({ shape: [6, 6, 2] });
    const outer = asModel({ inputs: image, outputs: layers.activation({ activation: 'linear' }).apply(inner.apply(image)) as SymbolicTensor });
    const x = images(4);
    const experts = { 'layer2.0': 1, 'layer4.0': [true, true, false] };
    expect(moeModel(outer).moeLayers.map(({ name }) => name)).toEqual(['layer2.0', 'layer4.0']);
    expect(logitsOf(moeModel(outer), x, { experts })).toEqual(logitsOf(moeModel(inner), x, { experts }));
    tidy(() => void expect(moeModel(outer).forward(x).routing.map(({ layer }) => layer)).toEqual(['layer2.0', 'layer4.0']));
    expect(modelWeights(outer)).toEqual(modelWeights(inner));
    outer.dispose();
    x.dispose();
  });

  it('adds up the balance losses of all layers', () => {
    const network = build({ at: ['layer2', 'layer4'] });
    const x = images(4);
    tidy(() => {
      const { routing, auxLoss } = moeModel(network).forward(x);
      expect(auxLoss).toBeAllClose(routing.reduce((total, layer) => total + layer.auxLoss.dataSync()[0]!, 0));
    });
    network.dispose();
    x.dispose();
  });

  it('keeps no tensor when a router throws after another layer has reported', () => {
    const good = topKRouter({ numExperts: E, gate: gapFc() });
    const bad: Router = {
      ...good,
      route: () => {
        throw new Error('broken router');
      },
    };
    const network = build({ at: ['layer2', 'layer4'], router: ([height]) => (height === 2 ? bad : good) });
    const x = images(4);
    expectTensorsKept(0, () => expect(() => moeModel(network).forward(x)).toThrow('broken router'));
    network.dispose();
    x.dispose();
  });

  it('refuses weights and MoE layers that share a name', () => {
    const moe = { at: 'layer4.0', kind: 'block' as const, router: topKRouter({ numExperts: 2, gate: gapFc() }) };
    const [a, b] = [resnet({ ...TINY, moe }), resnet({ ...TINY, moe, depth: 18 })];
    const image = input({ shape: [6, 6, 2] });
    const both = asModel({ inputs: image, outputs: layers.add().apply([a.apply(image) as SymbolicTensor, b.apply(image) as SymbolicTensor]) as SymbolicTensor });
    expect(() => modelWeights(both)).toThrow("modelWeights: names must be unique, got 'conv1/kernel'. Give the layers different names.");
    expect(() => moeModel(both)).toThrow("moeModel: MoE layers must have unique names, got 'layer4.0'.");
    both.dispose();
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
