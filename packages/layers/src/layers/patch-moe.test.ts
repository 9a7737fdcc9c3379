import { createRng } from '@moe/core';
import { convGap, gapFc, roundRobinRouter, topKRouter } from '@moe/router';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { type Scalar, type Tensor, type Tensor4D, conv2d, slice, square, sum, tensor, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { type LayersModel, type SymbolicTensor, input, layers, model as asModel } from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { countMacs, countParameters } from '../counting/count.js';
import { moeModel } from '../model/moe-model.js';
import { reload, weight } from '../model/testing-fixtures.js';
import { cutPatches, joinPatches } from '../ops/image-patches.js';
import { PatchMoe } from './patch-moe.js';
import { registerMoeLayers } from './register.js';

const conv = { inChannels: 2, filters: 3, kernelSize: 3, stride: 1 };
const router = topKRouter({ numExperts: 3, gate: gapFc() });

function build(moe: PatchMoe, shape = [4, 6, 2]): LayersModel {
  const image = input({ shape });
  const features = moe.apply(image) as SymbolicTensor;
  return asModel({ inputs: image, outputs: layers.globalAveragePooling2d({}).apply(features) as SymbolicTensor });
}

const images = (count = 2): Tensor4D => tensor(createRng(1).normal(count * 48), [count, 4, 6, 2]);

describe('cutPatches', () => {
  it('copies each patch with the pixels around it, zeros beyond the border', () => {
    tidy(() => {
      const patches = cutPatches(tensor4d([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 4, 1]), 2, 1);
      expect(patches).toHaveShape([2, 4, 4, 1]);
      expect(patches).toBeAllClose([0, 0, 0, 0, 0, 1, 2, 3, 0, 5, 6, 7, 0, 0, 0, 0, /* second */ 0, 0, 0, 0, 2, 3, 4, 0, 6, 7, 8, 0, 0, 0, 0, 0]);
    });
  });

  it('without halo is undone by joinPatches', () => {
    const x = images();
    tidy(() => void expect(joinPatches(cutPatches(x, 2, 0), 4, 6)).toBeAllClose(x, { rtol: 0, atol: 0 }));
    x.dispose();
  });

  it('is differentiable', () => {
    const x = images(1);
    expectGradient((v) => sum(square(cutPatches(v as Tensor4D, 2, 1))) as Scalar, x);
    x.dispose();
  });
});

describe('PatchMoe', () => {
  it('with every patch in one expert is the ordinary convolution, seams included', () => {
    const moe = new PatchMoe({ name: 'moe', conv, patch: 2, router, seed: 1 });
    const network = build(moe);
    const x = images();
    tidy(() => {
      for (const expert of [0, 1, 2]) {
        const kernel = weight(network, `moe/expert${expert}/kernel`) as unknown as Tensor4D;
        const fixed = moe.call(x, { moe: { options: { experts: { moe: expert } } } });
        expect(fixed).toBeAllClose(conv2d(x, kernel, 1, 'same'), { rtol: 1e-4, atol: 1e-5 });
      }
    });
    network.dispose();
    x.dispose();
  });

  it('runs each patch through the expert that its router chose', () => {
    const moe = new PatchMoe({ name: 'moe', conv, patch: 2, router: roundRobinRouter({ numExperts: 2, by: 'position' }), seed: 1 });
    const network = build(moe);
    const x = images();
    tidy(() => {
      const y = moe.apply(x) as Tensor;
      const whole = [0, 1].map((expert) => conv2d(x, weight(network, `moe/expert${expert}/kernel`) as unknown as Tensor4D, 1, 'same'));
      // Patches 0 … 5 of each image in reading order, three a row: experts 0 1 0, 1 0 1.
      for (let patch = 0; patch < 6; patch++) {
        const corner: [number, number, number, number] = [0, 2 * Math.floor(patch / 3), 2 * (patch % 3), 0];
        const of = (map: Tensor): Tensor => slice(map as Tensor4D, corner, [2, 2, 2, 3]);
        expect(of(y), `patch ${patch}`).toBeAllClose(of(whole[patch % 2]!), { rtol: 1e-4, atol: 1e-5 });
      }
    });
    network.dispose();
    x.dispose();
  });

  it('reports one row for each patch, learns, keeps nothing and comes back from a file', async () => {
    registerMoeLayers();
    const network = build(new PatchMoe({ name: 'moe', conv, patch: 2, router: topKRouter({ numExperts: 2, topK: 2, gate: convGap() }), seed: 1 }));
    const x = images();
    tidy(() => void expect(moeModel(network).forward(x).routing[0]!.combineWeights).toHaveShape([12, 2]));
    expectGradient((v) => sum(square(network.apply(v) as Tensor)) as Scalar, x, { rtol: 5e-2, atol: 1e-2 });
    expectTensorsKept(1, () => network.apply(x) as Tensor).dispose();
    const copy = await reload(network);
    tidy(() => void expect(copy.apply(x) as Tensor).toBeAllClose(network.apply(x) as Tensor, { rtol: 0, atol: 0 }));
    network.dispose();
    copy.dispose();
    x.dispose();
  });

  it('costs one convolution of the whole map for each choice, and a gate for each patch', () => {
    const network = build(new PatchMoe({ name: 'moe', conv, patch: 2, router, seed: 1 }));
    expect(countParameters(network)).toBe(3 * 9 * 2 * 3 + 2 * 3 + 3);
    expect(countMacs(network)).toBe(24 * 9 * 2 * 3 + 6 * (2 * 3));
    network.dispose();
  });

  it('refuses maps that patches do not tile, strides, and a second input', () => {
    const make = (): PatchMoe => new PatchMoe({ name: 'moe', conv, patch: 4, router, seed: 1 });
    expect(() => make().apply(input({ shape: [4, 6, 2] }))).toThrow("PatchMoe: input of 'moe' must have height and width that are multiples of 4");
    expect(() => make().apply([input({ shape: [4, 4, 2] }), input({ shape: [4, 4, 2] })])).toThrow('be one');
    expect(() => new PatchMoe({ name: 'moe', conv: { ...conv, stride: 2 }, patch: 2, router, seed: 1 })).toThrow('PatchMoe: conv.stride must be 1, got 2.');
  });
});
