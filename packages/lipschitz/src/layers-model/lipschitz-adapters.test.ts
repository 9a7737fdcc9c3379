import { createRng } from '@moe/core';
import { type Tensor, reshape, sub, tensor, tidy } from '@tensorflow/tfjs-core';
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers';
import { afterEach, describe, expect, it } from 'vitest';
import { AolConv2D } from '../layers/aol-conv.js';
import { AolDense } from '../layers/aol-dense.js';
import { BjorckDense } from '../layers/bjorck-dense.js';
import { CayleyConv2D } from '../layers/cayley-conv.js';
import { CayleyDense } from '../layers/cayley-dense.js';
import { GroupSort } from '../layers/group-sort.js';
import { SllConv2D } from '../layers/sll-conv.js';
import { SllDense } from '../layers/sll-dense.js';
import { crownBounds } from '../local/crown.js';
import { intervalBounds } from '../local/interval.js';
import { productBound } from '../network/product-bound.js';
import { describeLayersModel } from './describe-layers-model.js';

const models: LayersModel[] = [];
const built = (...stack: layers.Layer[]): LayersModel => {
  const model = sequential({ layers: stack });
  models.push(model);
  const rng = createRng(5);
  // Weights as training might leave them, and biases that are not 0.
  for (const weight of model.weights) {
    const shape = weight.shape as number[];
    tidy(() => void weight.write(tensor(rng.normal(shape.reduce((a, b) => a * b, 1), 0, 0.6), shape)));
  }
  return model;
};
afterEach(() => models.splice(0).forEach((model) => model.dispose()));

describe('describeLayersModel on 1-Lipschitz layers', () => {
  it.each([
    ['AolDense', () => new AolDense({ units: 12, inputShape: [9], seed: 1 }), 'exact'],
    ['AolDense too large for an exact norm', () => new AolDense({ units: 260, inputShape: [300], seed: 1 }), 'upper'],
    ['BjorckDense', () => new BjorckDense({ units: 12, inputShape: [9], steps: 3, seed: 1 }), 'exact'],
    ['CayleyDense', () => new CayleyDense({ units: 12, inputShape: [9], seed: 1 }), 'exact'],
    ['AolConv2D', () => new AolConv2D({ filters: 4, kernelSize: 3, strides: 2, inputShape: [6, 6, 3], seed: 1 }), 'upper'],
    ['CayleyConv2D', () => new CayleyConv2D({ filters: 3, kernelSize: 3, inputShape: [4, 4, 2], seed: 1 }), 'upper'],
    ['SllDense', () => new SllDense({ hidden: 7, inputShape: [5], seed: 1 }), 'upper'],
    ['SllConv2D', () => new SllConv2D({ hidden: 3, kernelSize: 3, inputShape: [5, 5, 2], seed: 1 }), 'upper'],
    ['GroupSort', () => new GroupSort({ groupSize: 3, inputShape: [6] }), 'exact'],
  ] as const)('bounds %s by 1 and the rounding of its weights', (_, make, status) => {
    const { parts } = productBound(describeLayersModel(built(make())));
    expect(parts).toHaveLength(1);
    expect(parts[0]!.bound).toMatchObject({ status, norm: 'L2', domain: 'global' });
    expect(parts[0]!.bound.value).toBeLessThanOrEqual(1 + 1e-5);
    expect(parts[0]!.bound.value).toBeGreaterThan(0.4);
  });

  it('takes the smaller of what a layer promises and what its kernel gives', () => {
    // AOL is loose: the exact norm of what came out is below 1.
    const description = describeLayersModel(built(new AolDense({ units: 12, inputShape: [9], seed: 1 })));
    expect(productBound(description).bound.value).toBeLessThan(0.99);
    expect(productBound(description, { norm: 'Linf' }).bound.value).toBeGreaterThan(1);
  });

  it('lets local bounds follow the layers, which enclose what the model gives', () => {
    const model = built(new AolConv2D({ filters: 2, kernelSize: 3, inputShape: [4, 4, 1], seed: 1 }), new SllConv2D({ hidden: 2, kernelSize: 3, seed: 2 }), layers.flatten(), new SllDense({ hidden: 4, seed: 3 }), new CayleyDense({ units: 3, seed: 4 }));
    const network = describeLayersModel(model);
    const rng = createRng(6);
    const center = rng.uniform(16);
    const radius = 0.05;
    const [crown, box] = [crownBounds(network, { center, radius }), intervalBounds(network, { center, radius })];
    const rows = Float32Array.from({ length: 64 * 16 }, (_, i) => center[i % 16]! + radius * (i < 16 ? 0 : Math.sign(Math.sin(i * i))));
    const outputs = tidy(() => (model.apply(tensor(rows, [64, 4, 4, 1])) as Tensor).arraySync()) as number[][];
    for (const row of outputs) {
      row.forEach((value, m) => {
        expect(value).toBeWithin(crown.lower[m]! - 1e-5, crown.upper[m]! + 1e-5);
        expect(crown.lower[m]!).toBeGreaterThanOrEqual(box.lower[m]! - 1e-9);
      });
    }
    // At radius 0 bounds and model are one: the description computes what the layers compute.
    const point = crownBounds(network, { center, radius: 0 });
    expect(point.lower).toBeAllClose(outputs[0]!, { atol: 1e-5 });
    expect(point.upper).toBeAllClose(outputs[0]!, { atol: 1e-5 });
  });

  it('bounds a whole network, and no pair of inputs shows more', () => {
    const model = built(new AolConv2D({ filters: 4, kernelSize: 3, inputShape: [6, 6, 1], seed: 1 }), new GroupSort(), new CayleyConv2D({ filters: 4, kernelSize: 3, seed: 2 }), new SllConv2D({ kernelSize: 3, seed: 3 }), layers.flatten(), new BjorckDense({ units: 10, seed: 4 }));
    const { bound } = productBound(describeLayersModel(model));
    expect(bound).toMatchObject({ status: 'upper', norm: 'L2' });
    expect(bound.value).toBeLessThan(1 + 1e-4);
    const rng = createRng(7);
    const [x, y] = tidy(() => [0, 1].map(() => Array.from(reshape(tensor(rng.normal(50 * 36)), [50, 36]).dataSync())));
    const out = tidy(() => {
      const run = (rows: number[]): Tensor => model.apply(tensor(rows, [50, 6, 6, 1])) as Tensor;
      return Array.from(sub(run(x!), run(y!)).dataSync());
    });
    for (let i = 0; i < 50; i++) {
      const apart = Math.hypot(...x!.slice(i * 36, (i + 1) * 36).map((value, d) => value - y![i * 36 + d]!));
      expect(Math.hypot(...out.slice(i * 10, (i + 1) * 10))).toBeLessThanOrEqual(bound.value * apart * (1 + 1e-6));
    }
  });
});
