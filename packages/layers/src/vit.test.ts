import { createRng } from '@moe/core';
import { type Router, gapFc, softMoeRouter, topKRouter, vMoeRouter } from '@moe/router';
import { expectTensorsKept } from '@moe/testing';
import { type Scalar, type Tensor, type Tensor2D, type Variable, add, dispose, io, losses, matMul, mean, memory, oneHot, reshape, tensor, tensor1d, tidy, train, variableGrads } from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { countMacs, countParameters } from './counting/count.js';
import { sincos2d } from './layers/tokens/tokens.js';
import { mlp, mlpSpec } from './mlp.js';
import { moeModel } from './model/moe-model.js';
import { modelWeights } from './model/model-weights.js';
import { vitFromName } from './spec/vit-names.js';
import { type VitOptions, vitSpec } from './spec/vit-spec.js';
import { vit } from './vit.js';

const gate = gapFc({ bias: false });
const TINY: VitOptions = { patch: 4, width: 8, depth: 2, hidden: 12, heads: 2, classes: 3, inputShape: [8, 8, 1], seed: 3 };
const router = (topK = 2): Router => vMoeRouter({ numExperts: 4, topK, gate, balance: { loss: 'importanceLoss', weight: 0.1 } });
const images = (count: number): Tensor => tensor(createRng(3).uniform(count * 64), [count, 8, 8, 1]);
const predict = (model: ReturnType<typeof vit>, x: Tensor): number[] => tidy(() => Array.from((model.apply(x, { training: false }) as Tensor).dataSync()));

/** The network of a name, as the papers have it: a pre-logits layer at 224 pixels, none at 384. */
function named(name: string, size: 224 | 384, classes = 1000) {
  const { moe, ...shape } = vitFromName(name);
  const options: VitOptions = { ...shape, classes, inputShape: [size, size, 3], seed: 1, ...(size === 224 && { representation: shape.width }) };
  return vitSpec(moe === undefined ? options : { ...options, moe: { layers: moe.layers, router: vMoeRouter({ numExperts: moe.numExperts, topK: moe.topK, gate }) } });
}

describe('vitSpec', () => {
  it.each([
    ['ViT-S/32', 27.6, 1.357, 4.048],
    ['ViT-B/32', 88.81, 4.41, 13.044],
    ['ViT-B+/32', 128.89, 6.419, 18.961],
    ['ViT-B++/32', 178.12, 8.888, 26.22],
    ['ViT-B+++/32', 237.39, 11.859, 34.949],
    ['ViT-L/32', 307.58, 15.379, 45.276],
    ['ViT-B/16', 87.16, 17.564, 55.484],
    ['ViT-S/32, E=8, K=2, Last 2', 57.0, 1.567, 4.658],
    ['ViT-S/32, E=32, K=2, Every 2', 288.03, 1.779, 5.274],
    ['ViT-B/32, E=2, K=2, Every 2', 117.2, 5.83, 17.15],
    ['ViT-B/32, E=4, K=2, Every 2', 173.8, 5.83, 17.15],
    ['ViT-B/32, E=8, K=2, Every 2', 287.2, 5.83, 17.15],
    ['ViT-B/32, E=16, K=2, Every 2', 513.9, 5.83, 17.16],
    ['ViT-B/32, E=32, K=2, Every 2', 967.3, 5.83, 17.17],
    ['ViT-B/32, E=32, K=1, Every 2', 967.3, 4.417, 13.065],
    ['ViT-B/16, E=8, K=2, Every 2', 285.5, 23.149, 71.841],
  ])('%s has the parameters and multiply-adds of the papers', (name, parameters, macs224, macs384) => {
    const rounded = (value: number, like: number): number => {
      const digits = String(like).split('.')[1]?.length ?? 0;
      return Number(value.toFixed(digits));
    };
    expect(rounded(countParameters(named(name, 224)) / 1e6, parameters)).toBe(parameters);
    expect(rounded(countMacs(named(name, 224)) / 1e9, macs224)).toBe(macs224);
    if (macs384 !== undefined) expect(rounded(countMacs(named(name, 384)) / 1e9, macs384)).toBe(macs384);
  });

  it('has the parameters of the JFT models to the unit of the closed form', () => {
    const [D, m, depth, T, C] = [512, 2048, 8, 50, 18_291];
    const block = 4 * (D * D + D) + (2 * D * m + m + D) + 4 * D;
    expect(countParameters(named('ViT-S/32', 224, C))).toBe(32 * 32 * 3 * D + D + D + T * D + depth * block + 2 * D + D * D + D + D * C + C);
    expect((countParameters(named('ViT-S/32', 224, C)) / 1e6).toFixed(2)).toBe('36.47');
  });

  it.each([
    ['ViT-B/32', 102.11],
    ['ViT-L/32', 325.31],
    ['ViT-H/14', 655.84],
    ['ViT-S/32, E=32, K=2, Last 2', 166.68],
    ['ViT-S/32, E=32, K=2, Every 2', 296.9],
    ['ViT-B/32, E=32, K=2, Every 2', 980.63],
    ['ViT-L/16, E=32, K=2, Every 2', 3445.96],
  ])('%s has the parameters of the JFT models', (name, parameters) => {
    expect(Number((countParameters(named(name, 224, 18_291)) / 1e6).toFixed(2))).toBe(parameters);
  });

  it('reads names', () => {
    expect(vitFromName('ViT-S/32, E=8, K=2, Last 2, 300 Epochs')).toEqual({ width: 512, depth: 8, hidden: 2048, heads: 8, patch: 32, moe: { numExperts: 8, topK: 2, layers: [5, 7] } });
    expect(vitFromName('V-MoE-B/16, E=8, K=2, Every 2').moe?.layers).toEqual([1, 3, 5, 7, 9, 11]);
    expect(() => vitFromName('ViT-X/32')).toThrow("vitFromName: name must look like 'ViT-B/32' or 'ViT-S/32, E=8, K=2, Last 2', got 'ViT-X/32'.");
    expect(() => vitFromName('ViT-B/32, E=8')).toThrow('vitFromName: name must name K and a placement where it names E');
  });
});

describe('vit', () => {
  it.each([
    ['dense', {}],
    ['with a probe and fixed positions', { head: 'map', position: 'sincos2d', representation: 5 }],
    ['V-MoE', { moe: { layers: [1], router: router() } }],
    ['V-MoE with shared experts and a gate on the image', { moe: { layers: [0, 1], router: router(), sharedExperts: 1, gateFrom: 'image' } }],
    ['Soft MoE', { head: 'gap', moe: { layers: [0, 1], router: softMoeRouter({ numExperts: 3, slotsPerExpert: 2 }) } }],
  ] as const)('%s: comes back from a saved file, counts as its description, and learns', async (_, extra) => {
    const options: VitOptions = { ...TINY, ...extra };
    const model = vit(options);
    expect(countParameters(model)).toBe(countParameters(vitSpec(options)));
    expect(countMacs(model)).toBe(countMacs(vitSpec(options)));
    const x = images(6);
    const labels = tidy(() => oneHot(tensor1d([0, 1, 2, 0, 1, 2], 'int32'), 3));
    const view = moeModel(model);
    const optimizer = train.adam(0.01);
    const variables = modelWeights(model).filter(({ trainable }) => trainable).map(({ variable }) => variable);
    const step = (seed: number): number =>
      tidy(() => {
        const { value, grads } = variableGrads(() => {
          const { logits, auxLoss } = view.forward(x, { training: true, rng: createRng(seed) });
          return add(losses.softmaxCrossEntropy(labels, logits), auxLoss) as Scalar;
        }, variables);
        optimizer.applyGradients(grads as Record<string, Variable>);
        return value.dataSync()[0]!;
      });
    const first = step(1);
    let last = first;
    for (let i = 2; i <= 12; i++) last = step(i);
    expect(last).toBeLessThan(first * 0.8);

    let saved: io.ModelArtifacts | undefined;
    await model.save(io.withSaveHandler((artifacts) => {
      saved = artifacts;
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } });
    }));
    const copy = await loadLayersModel(io.fromMemory(saved!));
    expect(predict(copy, x)).toEqual(predict(model, x));
    dispose([x, labels]);
    optimizer.dispose();
    model.dispose();
    copy.dispose();
  });

  it('routes tokens, and gives all tokens to a fixed expert', () => {
    const model = vit({ ...TINY, moe: { layers: [0, 1], router: router() } });
    const view = moeModel(model);
    const x = images(3);
    tidy(() => {
      const { routing } = view.forward(x);
      expect(routing.map(({ layer }) => layer)).toEqual(['block0.mlp', 'block1.mlp']);
      // Three images of 4 patches and a class token.
      expect(routing[0]!.combineWeights).toHaveShape([15, 4]);
      expect(view.forward(x, { experts: { 'block0.mlp': 1 } }).routing).toHaveLength(1);
    });
    model.dispose();
    x.dispose();
  });

  it("routes tokens by the tokens of the image, with gateFrom: 'image', and adds shared experts", () => {
    const model = vit({ ...TINY, moe: { layers: [0, 1], router: router(), gateFrom: 'image', sharedExperts: 2 } });
    const x = images(3);
    tidy(() => {
      const tokens = reshape(model.getLayer('tokens').apply(model.getLayer('embedding').apply(x) as Tensor) as Tensor, [15, 8]);
      const weights = new Map(modelWeights(model).map(({ name, variable }) => [name, variable]));
      for (const { layer, gateLogits } of moeModel(model).forward(x).routing) expect(gateLogits).toBeAllClose(matMul(tokens as Tensor2D, weights.get(`${layer}/router/kernel`) as unknown as Tensor2D), { atol: 1e-5 });
      expect([...weights.keys()].filter((name) => name.startsWith('block1.mlp/shared'))).toHaveLength(8);
    });
    model.dispose();
    x.dispose();
  });

  it('starts with experts that are alike, so that routing changes nothing, unless told otherwise', () => {
    const outputs = (sharedStart: boolean): number[][] => {
      const model = vit({ ...TINY, moe: { layers: [1], router: router(1), sharedStart } });
      const kernel = (expert: number): number[] => Array.from(modelWeights(model).find(({ name }) => name === `block1.mlp/expert${expert}/in/kernel`)!.variable.dataSync());
      const kernels = [kernel(0), kernel(3)];
      model.dispose();
      return kernels;
    };
    const [shared, own] = [outputs(true), outputs(false)];
    expect(shared[0]).toEqual(shared[1]);
    expect(own[0]).not.toEqual(own[1]);
  });

  it('keeps nothing alive after dispose, and says what is wrong with an option', () => {
    const before = memory().numTensors;
    vit({ ...TINY, moe: { layers: [1], router: router() } }).dispose();
    expect(memory().numTensors).toBe(before);
    expectTensorsKept(0, () => {
      expect(() => vit({ ...TINY, patch: 3 })).toThrow('vit: patch must divide the image 8 × 8, got 3.');
      expect(() => vit({ ...TINY, heads: 3 })).toThrow('vit: heads must divide the width 8, got 3.');
      expect(() => vit({ ...TINY, moe: { layers: [2], router: router() } })).toThrow('vit: moe.layers must be numbers of blocks from 0 to 1, got [2].');
      expect(() => vit({ ...TINY, moe: { layers: [1], router: router(), gateFrom: 'block0' as never } })).toThrow("vit: moe.gateFrom must be one of 'input', 'image', got 'block0'.");
      expect(() => vit({ ...TINY, moe: { layers: [1], router: router(), shared: 1 } as never })).toThrow("vit.moe: unknown option 'shared'.");
    });
  });
});

describe('sincos2d', () => {
  it('is sines and cosines of column and row', () => {
    // Token 3 of a 2 × 2 grid: column 1, row 1; frequencies 1 and 1/10000.
    expect(sincos2d(4, 8).slice(24)).toBeAllClose([Math.sin(1), Math.sin(1e-4), Math.cos(1), 1, Math.sin(1), Math.sin(1e-4), Math.cos(1), 1], { atol: 1e-6 });
    expect(() => sincos2d(5, 8)).toThrow('sincos2d: tokens must be a square number, got 5.');
  });
});

describe('mlp', () => {
  const options = { hidden: [16, 12], classes: 3, inputShape: [8, 8, 1], seed: 2 } as const;
  const moe = { layers: [1], router: topKRouter({ numExperts: 3, gate: gapFc() }) };

  it('counts what it is made of', () => {
    expect(countParameters(mlpSpec(options))).toBe(64 * 16 + 16 + 16 * 12 + 12 + 12 * 3 + 3);
    expect(countMacs(mlpSpec(options))).toBe(64 * 16 + 16 * 12 + 12 * 3);
    expect(countParameters(mlpSpec({ ...options, moe })) - countParameters(mlpSpec(options))).toBe(2 * (16 * 12 + 12) + 16 * 3 + 3);
    expect(countMacs(mlpSpec({ ...options, moe })) - countMacs(mlpSpec(options))).toBe(16 * 3);
  });

  it('mixes hidden layers, and its mixture is the chosen layer', () => {
    const model = mlp({ ...options, moe });
    const view = moeModel(model);
    const x = images(5);
    tidy(() => {
      const { logits, routing } = view.forward(x);
      expect(routing[0]!.layer).toBe('hidden1');
      const chosen = (routing[0]!.combineWeights.arraySync() as number[][]).map((row) => row.indexOf(1));
      const alone = [0, 1, 2].map((expert) => view.forward(x, { experts: { hidden1: expert } }).logits.arraySync() as number[][]);
      expect(logits).toBeAllClose(chosen.flatMap((expert, row) => alone[expert]![row]!), { atol: 1e-5 });
      expect(mean(logits).dataSync()[0]).not.toBe(0);
    });
    model.dispose();
    x.dispose();
  });

  it("sees all pixels with gateFrom: 'image', adds shared experts, and asks a function for its routers", () => {
    const asked: number[] = [];
    const shared = { layers: [0, 1], gateFrom: 'image', sharedExperts: 1, router: (layer: number) => (asked.push(layer), topKRouter({ numExperts: 3, gate: gapFc() })) } as const;
    const model = mlp({ ...options, moe: shared });
    expect(asked).toEqual([0, 1]);
    expect([countParameters(model), countMacs(model)]).toEqual([countParameters(mlpSpec({ ...options, moe: shared })), countMacs(mlpSpec({ ...options, moe: shared }))]);
    expect(countParameters(model) - countParameters(mlpSpec(options))).toBe(3 * (64 * 16 + 16 + 16 * 12 + 12) + 2 * (64 * 3 + 3));
    const x = images(4);
    tidy(() => {
      const weights = new Map(modelWeights(model).map(({ name, variable }) => [name, variable]));
      const pixels = reshape(x, [4, 64]);
      for (const { layer, gateLogits } of moeModel(model).forward(x).routing) {
        const scores = add(matMul(pixels, weights.get(`${layer}/router/kernel`) as unknown as Tensor2D), weights.get(`${layer}/router/bias`)!);
        expect(gateLogits).toBeAllClose(scores, { atol: 1e-5 });
      }
    });
    expect(() => mlp({ ...options, moe: { layers: [0], router: 3 as never } })).toThrow('mlp: moe.router must be a Router or a function that returns one, got 3.');
    model.dispose();
    x.dispose();
  });
});
