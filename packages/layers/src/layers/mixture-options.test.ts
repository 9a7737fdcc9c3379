// Shared experts, skips and gates that see something else.
import { createRng } from '@moe/core';
import { gapFc, softmaxRouter, topKRouter } from '@moe/router';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { type Scalar, type Tensor, type Tensor2D, type Variable, add, concat, dispose, matMul, mean, mul, relu, slice, square, sub, tensor, tensor1d, tidy, variableGrads } from '@tensorflow/tfjs-core';
import { type LayersModel, type SymbolicTensor, input, layers, model as asModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countMacs, countParameters } from '../counting/count.js';
import { modelWeights } from '../model/model-weights.js';
import { moeModel } from '../model/moe-model.js';
import { reload, weight } from '../model/testing-fixtures.js';
import { ConvMoe } from './conv-moe.js';
import { DenseMoe } from './dense-moe.js';
import { registerMoeLayers } from './register.js';

const router = topKRouter({ numExperts: 2, gate: gapFc() });
const conv = { inChannels: 3, filters: 3, kernelSize: 3, stride: 1 };
let x: Tensor;
beforeAll(() => {
  registerMoeLayers();
  x = tensor(createRng(1).normal(4 * 48), [4, 4, 4, 3]);
});
afterAll(() => x.dispose());

const build = (moe: ConvMoe): LayersModel => {
  const image = input({ shape: [4, 4, 3] });
  return asModel({ inputs: image, outputs: layers.globalAveragePooling2d({}).apply(moe.apply(image)) as SymbolicTensor });
};
const fixed = (moe: ConvMoe, expert: number): Tensor => moe.call(x, { moe: { options: { experts: { moe: expert } } } });

describe('skip', () => {
  it('adds the input to the mixture', () => {
    const [plain, skipped] = [false, true].map((skip) => new ConvMoe({ name: 'moe', conv, router, seed: 1, skip }));
    tidy(() => void expect(skipped!.apply(x) as Tensor).toBeAllClose(add(plain!.apply(x) as Tensor, x), { rtol: 1e-5, atol: 1e-5 }));
    [plain, skipped].forEach((layer) => layer!.dispose());
  });

  it('refuses outputs of another shape', () => {
    const moe = new ConvMoe({ name: 'moe', conv: { ...conv, filters: 5 }, router, seed: 1, skip: true });
    expect(() => moe.apply(input({ shape: [4, 4, 3] }))).toThrow("ConvMoe: output of 'moe' must have the shape of the input, for its skip");
  });
});

describe('shared experts', () => {
  it('are added for every row with their weight, whatever the router chose, and when an expert is fixed', () => {
    const plain = new ConvMoe({ name: 'moe', conv, router, seed: 1 });
    const moe = new ConvMoe({ name: 'moe', conv, router, seed: 1, sharedExperts: 2, sharedWeight: 0.5 });
    const network = build(moe);
    tidy(() => {
      const alone = plain.apply(x) as Tensor;
      const shared = sub(moe.apply(x) as Tensor, alone);
      // What a layer gives whose one expert has the weights of a shared one.
      const single = [0, 1].map((i) => {
        weight(network, 'moe/expert0/kernel').assign(tidy(() => mul(weight(network, `moe/shared${i}/kernel`), 1)));
        return sub(fixed(moe, 0), shared);
      });
      expect(shared).toBeAllClose(mul(add(single[0]!, single[1]!), 0.5), { rtol: 1e-3, atol: 1e-4 });
    });
    plain.dispose();
    network.dispose();
  });

  it('and the router of a second input get gradients, and the second input does, too', () => {
    const moe = new ConvMoe({ name: 'moe', conv, router: softmaxRouter({ numExperts: 2, gate: gapFc() }), seed: 1, sharedExperts: 1, skip: true });
    const gate = tensor(createRng(5).normal(8), [4, 2]);
    (moe.apply([x, gate]) as Tensor).dispose();
    const loss = (first: Tensor, second: Tensor): Scalar => mean(square(moe.apply([first, second]) as Tensor));
    expectGradient((v) => loss(v, gate), x);
    expectGradient((v) => loss(x, v), gate);
    const { value, grads } = variableGrads(() => loss(x, gate), moe.weights.map((weight) => weight.read() as Variable));
    for (const { originalName, name } of moe.weights) expect(Math.max(...grads[name]!.dataSync().map(Math.abs)), originalName).toBeGreaterThan(0);
    dispose([value, grads, gate]);
    moe.dispose();
  });

  it('are counted, reported by name, and come back from a file', async () => {
    const network = build(new ConvMoe({ name: 'moe', conv, router, seed: 1, sharedExperts: 1, sharedWeight: 0.25, skip: true }));
    expect(modelWeights(network).map(({ name }) => name)).toContain('moe/shared0/kernel');
    expect(moeModel(network).moeLayers[0]!.numExperts).toBe(2);
    expect(countParameters(network)).toBe(3 * 81 + 2 * 3 + 2);
    expect(countMacs(network)).toBe(2 * 81 * 16 + 6);
    const copy = await reload(network);
    tidy(() => void expect(copy.apply(x) as Tensor).toBeAllClose(network.apply(x) as Tensor, { rtol: 0, atol: 0 }));
    network.dispose();
    copy.dispose();
  });

  it('refuse a number that is none', () => {
    expect(() => new ConvMoe({ name: 'moe', conv, router, seed: 1, sharedExperts: -1 })).toThrow('ConvMoe: sharedExperts must be an integer');
  });
});

describe('a gate with an input of its own', () => {
  const build2 = (moe: ConvMoe | DenseMoe, shape: number[], gateShape: number[]): LayersModel => {
    const [image, gate] = [input({ shape }), input({ shape: gateShape })];
    return asModel({ inputs: [image, gate], outputs: moe.apply([image, gate]) as SymbolicTensor });
  };

  it('decides by this input alone, while the experts see the first', async () => {
    const moe = new ConvMoe({ name: 'moe', conv, router, seed: 1 });
    const network = build2(moe, [4, 4, 3], [2]);
    expect(weight(network, 'moe/router/kernel').shape).toEqual([2, 2]);
    tidy(() => {
      weight(network, 'moe/router/kernel').assign(tensor([1, 0, 0, 1], [2, 2]));
      weight(network, 'moe/router/bias').assign(tensor1d([0, 0]));
      const gate = tensor([1, 0, 0, 1, 0, 1, 1, 0], [4, 2]);
      const y = moe.apply([x, gate]) as Tensor;
      const rows = [0, 1, 1, 0].map((expert, row) => slice(fixed(moe, expert), [row], [1]));
      expect(y).toBeAllClose(concat(rows), { rtol: 1e-4, atol: 1e-5 });
    });
    expect(countMacs(network)).toBe(81 * 16 + 4);
    const copy = await reload(network);
    tidy(() => {
      const gate = tensor(createRng(2).normal(8), [4, 2]);
      expect(copy.apply([x, gate]) as Tensor).toBeAllClose(network.apply([x, gate]) as Tensor, { rtol: 0, atol: 0 });
    });
    network.dispose();
    copy.dispose();
  });

  it('serves several MoE layers of one model, as moeModel sees it', () => {
    const image = input({ shape: [4, 4, 3] });
    const features = layers.globalAveragePooling2d({}).apply(image) as SymbolicTensor;
    let h = image;
    for (const name of ['a', 'b']) h = new ConvMoe({ name, conv, router: softmaxRouter({ numExperts: 2, gate: gapFc() }), seed: 1 }).apply([h, features]) as SymbolicTensor;
    const network = asModel({ inputs: image, outputs: layers.globalAveragePooling2d({}).apply(h) as SymbolicTensor });
    tidy(() => {
      for (const name of ['kernel', 'bias']) weight(network, `b/router/${name}`).assign(tidy(() => mul(weight(network, `a/router/${name}`), 1)));
      const { routing } = moeModel(network).forward(x);
      expect(routing[1]!.gates).toBeAllClose(routing[0]!.gates);
    });
    expectTensorsKept(0, () => tidy(() => void moeModel(network).forward(x)));
    expect(countParameters(network)).toBe(2 * (2 * 81 + 8));
    expect(countMacs(network)).toBe(2 * (2 * 81 * 16 + 6));
    network.dispose();
  });

  it('may be given the input of the experts, which other layers use as well', () => {
    const image = input({ shape: [4, 4, 3] });
    // A tensor within the model: tfjs frees those after their last use.
    const h = layers.activation({ activation: 'relu' }).apply(image) as SymbolicTensor;
    const first = new ConvMoe({ name: 'a', conv, router, seed: 1 }).apply([h, h]) as SymbolicTensor;
    const second = new ConvMoe({ name: 'b', conv, router, seed: 1 }).apply([first, h]) as SymbolicTensor;
    const network = asModel({ inputs: image, outputs: layers.globalAveragePooling2d({}).apply(second) as SymbolicTensor });
    tidy(() => {
      const { routing } = moeModel(network).forward(x);
      const [seen, bias] = [mean(relu(x), [1, 2]) as Tensor2D, weight(network, 'b/router/bias')];
      expect(routing[1]!.gateLogits).toBeAllClose(add(matMul(seen, weight(network, 'b/router/kernel') as unknown as Tensor2D), bias), { rtol: 1e-4, atol: 1e-5 });
    });
    network.dispose();
  });

  it('has a row for each token where rows are tokens', () => {
    const moe = new DenseMoe({ name: 'moe', width: 4, hidden: 5, router, seed: 1 });
    const network = build2(moe, [3, 4], [3, 2]);
    const [tokens, gate] = [tensor(createRng(3).normal(24), [2, 3, 4]), tensor(createRng(4).normal(12), [2, 3, 2])];
    tidy(() => void expect(network.apply([tokens, gate]) as Tensor).toHaveShape([2, 3, 4]));
    dispose([tokens, gate]);
    network.dispose();
  });
});
