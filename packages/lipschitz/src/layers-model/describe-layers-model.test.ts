import { createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { type Tensor, type Tensor4D, mul, serialization, tensor, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { type LayersModel, type SymbolicTensor, input, layers, model, sequential } from '@tensorflow/tfjs-layers';
import { afterEach, describe, expect, it } from 'vitest';
import { svdNorm } from '../internal/oracles.js';
import { hardRouted, residual, sequence } from '../network/composite-nodes.js';
import { activation, boundedMap, globalAveragePool, relu } from '../network/constant-nodes.js';
import { gatedBounds } from '../network/gated-bounds.js';
import { batchNorm, conv2d, dense } from '../network/linear-nodes.js';
import { productBound } from '../network/product-bound.js';
import { describeLayersModel } from './describe-layers-model.js';

const models: LayersModel[] = [];
const made = (built: LayersModel, seed: number): LayersModel => {
  models.push(built);
  const rng = createRng(seed);
  for (const weight of built.weights) {
    const shape = weight.shape as number[];
    const size = shape.reduce((a, b) => a * b, 1);
    tidy(() => void weight.write(tensor(weight.originalName.endsWith('moving_variance') ? rng.uniform(size, 0.3, 2) : rng.normal(size, 0, 0.5), shape)));
  }
  return built;
};
afterEach(() => models.splice(0).forEach((built) => built.dispose()));

const SIZE = 6;

/** Stem, a block with identity skip, one with a strided projection, head. */
function tinyResnet(seed: number): LayersModel {
  const conv = (filters: number, strides: number, kernelSize = 3): layers.Layer => layers.conv2d({ filters, strides, kernelSize, padding: 'same', useBias: false });
  const through = (x: SymbolicTensor, ...chain: layers.Layer[]): SymbolicTensor => chain.reduce((at, layer) => layer.apply(at) as SymbolicTensor, x);
  const block = (x: SymbolicTensor, filters: number, strides: number): SymbolicTensor => {
    const main = through(x, conv(filters, strides), layers.batchNormalization(), layers.reLU(), conv(filters, 1), layers.batchNormalization());
    const skip = strides === 1 ? x : through(x, conv(filters, strides, 1), layers.batchNormalization());
    return through(layers.add().apply([main, skip]) as SymbolicTensor, layers.activation({ activation: 'relu' }));
  };
  const image = input({ shape: [SIZE, SIZE, 1] });
  const stem = through(image, conv(2, 1), layers.batchNormalization(), layers.reLU());
  const features = block(block(stem, 2, 1), 3, 2);
  return made(model({ inputs: image, outputs: through(features, layers.globalAveragePooling2d({}), layers.dense({ units: 3 })) }), seed);
}

class Doubling extends layers.Layer {
  static readonly className = 'TestDoubling';
  override call(inputs: Tensor | Tensor[]): Tensor {
    return mul(Array.isArray(inputs) ? inputs[0]! : inputs, 2);
  }
}
serialization.registerClass(Doubling);

describe('describeLayersModel', () => {
  it('finds blocks, folds batch norm and gives the bound of a description by hand', () => {
    const built = tinyResnet(3);
    const { bound, parts } = productBound(describeLayersModel(built));
    const weights = (kind: string): Tensor[] => built.weights.filter(({ originalName }) => originalName.endsWith(`/${kind}`)).map((w) => w.read());
    const [kernels, gammas, variances] = [weights('kernel'), weights('gamma'), weights('moving_variance')];
    const linear = (k: number, inputSize: number, strides: number): ReturnType<typeof sequence> =>
      sequence([conv2d({ kernel: kernels[k]!, inputSize, strides, padding: 'same' }), batchNorm({ gamma: gammas[k]!, variance: variances[k]!, epsilon: 1e-3 })]);
    // tfjs lists layers by depth: in the second block the projection may come before or after the second convolution.
    const projection = kernels.findIndex(({ shape }) => shape.length === 4 && shape[0] === 1);
    const last = [3, 4, 5].filter((k) => k !== projection);
    const byHand = productBound(
      sequence([
        linear(0, SIZE, 1),
        relu(),
        residual(sequence([linear(1, SIZE, 1), relu(), linear(2, SIZE, 1)])),
        relu(),
        residual(sequence([linear(last[0]!, SIZE, 2), relu(), linear(last[1]!, 3, 1)]), linear(projection, SIZE, 2)),
        relu(),
        globalAveragePool({ height: 3, width: 3 }),
        dense({ kernel: kernels.at(-1)! }),
      ]),
    ).bound;
    expect(bound.value / byHand.value).toBeCloseTo(1, 12);
    expect(parts).toHaveLength(8);
    expect(parts[0]!.name).toMatch(/^conv2d_\S+\+batch_normalization_\S+$/i);
    expect(parts[2]!.parts[1]).toMatchObject({ name: 'skip', bound: { value: 1 } });
  });

  it('is never below what the network really does, along random directions and along its steepest one', () => {
    for (const seed of [1, 2, 3]) {
      const built = tinyResnet(seed);
      const bound = productBound(describeLayersModel(built)).bound.value;
      const run = (rows: Float32Array, count: number): Float32Array => tidy(() => (built.predict(tensor4d(rows, [count, SIZE, SIZE, 1])) as Tensor).dataSync() as Float32Array);
      const pixels = SIZE * SIZE;
      const x = createRng(seed).normal(pixels);
      const h = 0.05;
      const slope = (direction: Float32Array): number => {
        const length = Math.hypot(...direction);
        const rows = Float32Array.from({ length: 2 * pixels }, (_, i) => x[i % pixels]! + ((i < pixels ? h : -h) * direction[i % pixels]!) / length);
        const out = run(rows, 2);
        return Math.hypot(...[0, 1, 2].map((m) => out[m]! - out[m + 3]!)) / (2 * h);
      };
      const basis = run(Float32Array.from({ length: pixels * pixels }, (_, i) => x[i % pixels]! + (Math.floor(i / pixels) === i % pixels ? h : 0)), pixels);
      const base = run(x, 1);
      const jacobian = Float32Array.from({ length: pixels * 3 }, (_, i) => (basis[i]! - base[i % 3]!) / h);
      expect(svdNorm(pixels, 3, jacobian)).toBeLessThan(bound);
      // The gradient of each logit is the steepest direction for it.
      for (const m of [0, 1, 2]) expect(slope(Float32Array.from({ length: pixels }, (_, i) => jacobian[i * 3 + m]!))).toBeLessThan(bound);
      for (let d = 0; d < 20; d++) expect(slope(createRng(seed).at(d).normal(pixels))).toBeLessThan(bound);
    }
  });

  it('reads every stock layer it lists, sequential and nested models included', () => {
    const inner = sequential({ layers: [layers.zeroPadding2d({ inputShape: [6, 6, 1], padding: 1 }), layers.conv2d({ filters: 2, kernelSize: 3, activation: 'tanh' }), layers.maxPooling2d({ poolSize: 2 })] });
    const built = made(
      sequential({
        layers: [
          layers.rescaling({ scale: 1 / 4, inputShape: [6, 6, 1] }) as layers.Layer,
          inner,
          layers.leakyReLU({ alpha: 0.1 }),
          layers.dropout({ rate: 0.5 }),
          layers.permute({ dims: [2, 1, 3] }),
          layers.flatten(),
          layers.layerNormalization({ epsilon: 1 }),
          layers.reshape({ targetShape: [3, 6] }),
          layers.flatten(),
          layers.dense({ units: 4, activation: 'sigmoid' }),
          layers.softmax(),
        ],
      }),
      4,
    );
    const [kernel, gamma, head] = [built.weights[0]!, built.weights.find(({ originalName }) => originalName.endsWith('/gamma'))!, built.weights.at(-2)!].map((w) => w.read());
    const expected = productBound(
      sequence([
        conv2d({ kernel: kernel as Tensor4D, inputSize: 8, padding: 'valid' }),
        dense({ kernel: head! }),
        activation('sigmoid'),
      ]),
    ).bound.value;
    const largestGamma = Math.max(...Array.from(gamma!.dataSync(), Math.abs));
    // Rescaling 1/4, layer norm max |γ| / √1, softmax 1/2; everything else is 1.
    expect(productBound(describeLayersModel(built)).bound.value).toBeCloseTo((expected * largestGamma) / 4 / 2, 6);
  });

  it('stops at an unknown layer, with its name and class, and takes an adapter for it', () => {
    const built = made(sequential({ layers: [new Doubling({ name: 'twice', inputShape: [3] }), layers.dense({ units: 2 })] }), 5);
    expect(() => describeLayersModel(built)).toThrow("layer 'twice' of class TestDoubling has no adapter. Pass options.adapters.TestDoubling");
    const network = describeLayersModel(built, {
      adapters: { TestDoubling: ({ name }) => boundedMap({ name, bounds: [{ value: 2, status: 'exact', norm: 'L2', domain: 'global', method: 'x ↦ 2x' }] }) },
    });
    const { parts } = productBound(network);
    expect(parts.map(({ name, bound }) => [name, bound.value])).toEqual([['twice', 2], [built.layers[1]!.name, expect.any(Number)]]);
  });

  it('lets an adapter describe a layer with experts, which gatedBounds then takes apart', () => {
    const built = made(sequential({ layers: [layers.dense({ units: 3, inputShape: [3] }), new Doubling({ name: 'moe' }), layers.dense({ units: 2 })] }), 6);
    const network = describeLayersModel(built, {
      adapters: { TestDoubling: ({ name }) => hardRouted({ name, experts: [2, 3].map((value) => dense({ kernel: { shape: [1, 1], values: [value] } })) }) },
    });
    expect(() => productBound(network)).toThrow("the router of 'moe'");
    const { paths } = gatedBounds(network);
    expect(paths[1]!.bound.value / paths[0]!.bound.value).toBeCloseTo(1.5, 10);
  });

  it('refuses what it cannot read', () => {
    const two = [input({ shape: [2] }), input({ shape: [2] })];
    const merged = made(model({ inputs: two, outputs: layers.add().apply(two) as SymbolicTensor }), 1);
    expect(() => describeLayersModel(merged)).toThrow("must have one input and one output, got '2 and 1'");
    const one = input({ shape: [2] });
    const product = made(model({ inputs: one, outputs: layers.multiply({ name: 'gate' }).apply([one, one]) as SymbolicTensor }), 1);
    expect(() => describeLayersModel(product)).toThrow("layer 'gate' with 2 inputs must be of class Add, Average, Concatenate, Maximum, Minimum, got 'Multiply'");
    const free = made(sequential({ layers: [layers.conv2d({ name: 'c', filters: 1, kernelSize: 3, inputShape: [null, null, 1] })] }), 1);
    expect(() => describeLayersModel(free)).toThrow("input size of layer 'c' must be fixed");
    const unknown = made(sequential({ layers: [layers.dense({ name: 'd', units: 1, activation: 'logSoftmax' as 'softmax', inputShape: [2] })] }), 1);
    expect(() => describeLayersModel(unknown)).toThrow("activation of layer 'd' must be one of linear");
  });

  it('counts both branches of a layer added to itself', () => {
    const one = input({ shape: [2] });
    const doubled = made(model({ inputs: one, outputs: layers.add().apply([one, one]) as SymbolicTensor }), 1);
    expect(productBound(describeLayersModel(doubled)).bound.value).toBeCloseTo(2, 12);
  });

  it('keeps no tensor, also when it throws', () => {
    const built = tinyResnet(7);
    expectTensorsKept(0, () => productBound(describeLayersModel(built)));
    const odd = made(sequential({ layers: [layers.dense({ units: 2, inputShape: [2] }), new Doubling({})] }), 5);
    expect(() => expectTensorsKept(0, () => describeLayersModel(odd))).toThrow('TestDoubling');
  });
});
