// MoE layers in a model that somebody put together from stock layers.
import { createRng } from '@moe/core';
import { type Router, gapFc, topKRouter } from '@moe/router';
import { expectTensorsKept } from '@moe/testing';
import { type Tensor, type Tensor2D, grad, io, mul, sum, tidy } from '@tensorflow/tfjs-core';
import { type LayersModel, type SymbolicTensor, initializers, input, layers, loadLayersModel, model as asModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BlockMoe } from '../layers/block-moe.js';
import { ConvMoe } from '../layers/conv-moe.js';
import { registerMoeLayers } from '../layers/register.js';
import { logitsFn } from './logits-fn.js';
import { modelWeights } from './model-weights.js';
import { moeModel } from './moe-model.js';
import { images } from './testing-fixtures.js';

const router = topKRouter({ numExperts: 3, topK: 1, gate: gapFc() });
const kernelInitializer = initializers.heNormal({ seed: 1 });

function build(shape: number[]): LayersModel {
  const image = input({ shape });
  const features = layers.conv2d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'relu', kernelInitializer }).apply(image);
  const routed = new ConvMoe({ name: 'moe.conv', conv: { inChannels: 4, filters: 5, kernelSize: 3, stride: 1 }, router, seed: 1 }).apply(features);
  const block = new BlockMoe({ name: 'moe.block', block: { inChannels: 5, filters: 6, stride: 2 }, router, seed: 1 }).apply(routed);
  const pooled = layers.globalAveragePooling2d({}).apply(block);
  return asModel({ inputs: image, outputs: layers.dense({ units: 3, kernelInitializer }).apply(pooled) as SymbolicTensor });
}

describe('MoE layers among stock layers', () => {
  let x: Tensor;
  let network: LayersModel;
  beforeAll(() => {
    x = images();
    network = build(x.shape.slice(1));
  });
  afterAll(() => {
    network.dispose();
    x.dispose();
  });

  it('are seen and steered by moeModel', () => {
    tidy(() => {
      const view = moeModel(network);
      expect(view.moeLayers.map(({ name }) => name)).toEqual(['moe.conv', 'moe.block']);
      const { logits, routing } = view.forward(x);
      expect(routing.map(({ layer }) => layer)).toEqual(['moe.conv', 'moe.block']);
      expect(logits).toBeAllClose(network.apply(x) as Tensor);
      // Mixing the logits of fixed experts by the gates' choice gives back the gated logits.
      const fixed = [0, 1, 2].map((expert) => view.forward(x, { experts: { 'moe.block': expert } }).logits);
      const choice = Array.from(routing[1]!.combineWeights.dataSync());
      const rows = Array.from({ length: x.shape[0]! }, (_, row) => fixed[choice.slice(3 * row, 3 * row + 3).indexOf(1)]!.dataSync().slice(3 * row, 3 * row + 3)).flatMap((row) => [...row]);
      expect(logits).toBeAllClose(rows, { rtol: 1e-4, atol: 1e-5 });
    });
  });

  it('take the noise of routers that draw in evaluation too from the second argument of logitsFn', () => {
    const noisy: Router = {
      ...router,
      route: (weights, inputs, context) => {
        const turned = context.rng !== undefined && context.rng.uniform(1)[0]! < 0.5;
        return router.route(weights, turned ? mul(inputs, -100) : inputs, context);
      },
    };
    const image = input({ shape: x.shape.slice(1) as number[] });
    const features = layers.conv2d({ filters: 4, kernelSize: 3, activation: 'relu', kernelInitializer }).apply(image);
    const routed = new ConvMoe({ name: 'moe.noisy', conv: { inChannels: 4, filters: 5, kernelSize: 3, stride: 1 }, router: noisy, seed: 1 }).apply(features);
    const other = asModel({ inputs: image, outputs: layers.dense({ units: 3, kernelInitializer }).apply(layers.globalAveragePooling2d({}).apply(routed)) as SymbolicTensor });
    const fn = logitsFn(moeModel(other));
    tidy(() => {
      const draw = (seed: number): string => fn(x, { rng: createRng(seed), exampleIds: [] }).dataSync().join();
      const answers = Array.from({ length: 12 }, (_, seed) => draw(seed));
      expect(new Set(answers).size).toBe(2);
      expect(answers).toContain(fn(x).dataSync().join());
      expect(draw(3)).toBe(answers[3]);
    });
    other.dispose();
  });

  it('let gradients through, and leak nothing', () => {
    const loss = (v: Tensor): Tensor => tidy(() => sum(mul(logitsFn(moeModel(network))(v), [1, -1, 0])));
    const gradient = expectTensorsKept(1, () => tidy(() => grad(loss)(x)));
    expect(Math.max(...gradient.dataSync())).toBeGreaterThan(0);
    gradient.dispose();
  });

  it('name their weights after themselves, and survive saving', async () => {
    const names = modelWeights(network).map(({ name }) => name);
    expect(names).toContain('moe.conv/expert2/kernel');
    expect(new Set(names).size).toBe(names.length);
    registerMoeLayers();
    let saved: io.ModelArtifacts | undefined;
    await network.save(io.withSaveHandler((artifacts) => {
      saved = artifacts;
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } });
    }));
    const again = await loadLayersModel(io.fromMemory(saved!));
    tidy(() => {
      expect(again.apply(x) as Tensor2D).toBeAllClose(network.apply(x) as Tensor2D, { rtol: 0, atol: 0 });
    });
    again.dispose();
  });

  it('refuse an input of other channels, by name', () => {
    const moe = new ConvMoe({ name: 'wrong', conv: { inChannels: 4, filters: 5, kernelSize: 3, stride: 1 }, router, seed: 1 });
    expect(() => moe.apply(input({ shape: [8, 8, 3] }))).toThrow("ConvMoe: input of 'wrong' must have rows of shape [*,*,4], got [, 8, 8, 3].");
  });
});
