import { type ForwardOptions, type MoeModel, createRng } from '@moe/core';
import { type Router, gapFc, topKRouter } from '@moe/router';
import { expectTensorsKept } from '@moe/testing';
import { type Tensor, type Tensor4D, add, cast, clone, dispose, grad, mul, split, sub, sum, tensor, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { type LayersModel, type SymbolicTensor, input, layers, model as asModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resnet } from '../resnet.js';
import type { MoeOptions } from '../spec/network-options.js';
import { logitsFn } from './logits-fn.js';
import { modelWeights } from './model-weights.js';
import { moeModel } from './moe-model.js';
import { E, TINY, build, equaliseExperts, images, logitsOf, sendAllTo, valuesOf, weight } from './testing-fixtures.js';

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

  it('with the weights of another pass routes as that pass did, and evaluates no gate', () => {
    tidy(() => {
      const [first] = model.forward(x).routing;
      const shifted = add(x, 0.3);
      const { routing, logits } = model.forward(shifted, { experts: { 'layer4.0': first!.combineWeights } });
      expect(routing).toEqual([]);
      expect(model.forward(x, { experts: { 'layer4.0': first!.combineWeights } }).logits).toBeAllClose(logitsOf(model, x), { rtol: 0, atol: 0 });
      // Each row goes to the expert it had before the shift.
      const fixed = [0, 1, 2].map((expert) => logitsOf(model, shifted, { experts: { 'layer4.0': expert } }));
      const choice = Array.from(first!.combineWeights.dataSync());
      const expected = Array.from({ length: 8 }, (_, row) => fixed[choice.slice(E * row, E * row + E).indexOf(1)]!.slice(3 * row, 3 * row + 3)).flatMap((values) => Array.from(values));
      expect(logits).toBeAllClose(expected, { rtol: 1e-4, atol: 1e-5 });
    });
  });

  it('tells the gradient of its scores', () => {
    tidy(() => {
      const lead = (v: Tensor): Tensor => sum(mul(model.forward(v).routing[0]!.gateLogits, [1, -1, 0]));
      const slope = grad(lead)(x).dataSync() as Float32Array;
      const direction = tensor(createRng(9).normal(x.size), x.shape);
      const step = 1e-2;
      const difference = (lead(add(x, mul(direction, step))).dataSync()[0]! - lead(sub(x, mul(direction, step))).dataSync()[0]!) / (2 * step);
      expect([slope.reduce((total, value, i) => total + value * direction.dataSync()[i]!, 0)]).toBeAllClose([difference], { rtol: 2e-2 });
    });
  });

  it('detached: same logits, and no gradient through the gate', () => {
    tidy(() => {
      const gradient = (options: ForwardOptions): Float32Array => grad((v: Tensor) => sum(mul(model.forward(v, options).logits, [1, -1, 0])))(x).dataSync() as Float32Array;
      const frozen = model.forward(x).routing[0]!.combineWeights;
      expect(logitsOf(model, x, { gate: 'detached' })).toBeAllClose(logitsOf(model, x), { rtol: 0, atol: 0 });
      expect(gradient({ gate: 'detached' })).toBeAllClose(gradient({ experts: { 'layer4.0': frozen } }), { rtol: 1e-4, atol: 1e-6 });
      expect(gradient({ gate: 'detached' })).not.toBeAllClose(gradient({}), { rtol: 1e-2, atol: 1e-3 });
    });
  });

  it('comes along with logitsFn unless that steers', () => {
    expect(logitsFn(model).moe).toBe(model);
    expect(logitsFn(model, {})).not.toHaveProperty('moe');
  });

  it.each<[ForwardOptions, string]>([
    [{ gate: 'soft' } as unknown as ForwardOptions, "forward: gate must be 'hard', 'detached' or { temperature }, got 'soft'."],
    [{ gate: { temperature: 1, relative: 1 } } as unknown as ForwardOptions, 'forward: gate.relative must be true or false, got 1.'],
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
    const names = (rest: Partial<MoeOptions>): string[] => {
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
