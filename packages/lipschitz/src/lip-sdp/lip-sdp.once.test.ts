import { createRng } from '@moe/core';
import '@moe/testing';
import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { residual, sequence } from '../network/composite-nodes.js';
import { activation, relu, softmax } from '../network/constant-nodes.js';
import { batchNorm, conv2d, dense } from '../network/linear-nodes.js';
import type { NetworkNode } from '../network/nodes.js';
import { productBound } from '../network/product-bound.js';
import { firstGram, recurse } from './recursion.js';
import { lipSdp } from './lip-sdp.js';

type Kernel = { shape: [number, number]; values: Float64Array };
const kernels = (widths: number[], seed: number, draw: (length: number) => Float32Array = (length) => createRng(seed).at(length).normal(length)): Kernel[] =>
  widths.slice(1).map((n, i) => ({ shape: [widths[i]!, n], values: Float64Array.from(draw(widths[i]! * n)) }));
const mlp = (weights: readonly Kernel[], between: () => NetworkNode = relu): NetworkNode => sequence(weights.flatMap((kernel, i) => (i === 0 ? [dense({ kernel })] : [between(), dense({ kernel })])));
const norm = (matrix: Matrix): number => new SingularValueDecomposition(matrix, { autoTranspose: true }).norm2;
const asMatrix = ({ shape, values }: Kernel): Matrix => Matrix.from1DArray(...shape, Array.from(values));

describe('lipSdp', () => {
  it('is the norm of the plain product for positive weights: the 10-30-20-2 net of the LipSDP authors’ recipe', () => {
    // ReLU passes all signals of one sign through, so the product is reached.
    const weights = kernels([10, 30, 20, 2], 1, (length) => createRng(length).uniform(length, 0, 1 / Math.sqrt(3)));
    const exact = norm(weights.map(asMatrix).reduce((a, b) => a.mmul(b)));
    const { bound } = lipSdp(mlp(weights));
    expect(bound).toMatchObject({ status: 'upper', norm: 'L2', domain: 'global' });
    expect(bound.value).toBeGreaterThanOrEqual(exact * (1 - 1e-12));
    expect(bound.value / exact).toBeLessThan(1.001);
    expect(bound.value).toBeLessThan(0.95 * productBound(mlp(weights)).bound.value);
  });

  it('is close to the largest slope over all activation patterns of one hidden layer with one output', () => {
    // y = Σ v_i relu(w_i·x): on the pattern D the slope is ‖v D W‖.
    for (let seed = 1; seed <= 5; seed++) {
      const [first, last] = kernels([4, 8, 1], seed) as [Kernel, Kernel];
      let exact = 0;
      for (let pattern = 0; pattern < 256; pattern++) {
        const slope = new Float64Array(4);
        for (let h = 0; h < 8; h++) if ((pattern >> h) & 1) for (let i = 0; i < 4; i++) slope[i] = slope[i]! + first.values[i * 8 + h]! * last.values[h]!;
        exact = Math.max(exact, Math.hypot(...slope));
      }
      const { value } = lipSdp(mlp([first, last])).bound;
      expect(value / exact).toBeWithin(1, 1.1);
      expect(value).toBeLessThanOrEqual(productBound(mlp([first, last])).bound.value * 1.0001);
    }
  });

  it('is the product for layers of one neuron, which is exact', () => {
    const weights = [2, -3, 0.5].map((value): Kernel => ({ shape: [1, 1], values: Float64Array.of(value) }));
    expect(lipSdp(mlp(weights)).bound.value).toBeAllClose(3, { rtol: 1e-5 });
  });

  it('falls with its steps, is sound after none, and tighter by neuron than by layer than the product', () => {
    const weights = kernels([8, 32, 32, 3], 4);
    const values = [0, 2, 8, 40].map((steps) => lipSdp(mlp(weights), { steps }).bound.value);
    for (let i = 1; i < values.length; i++) expect(values[i]).toBeLessThan(values[i - 1]!);
    const layer = lipSdp(mlp(weights), { multipliers: 'layer' });
    expect(values[3]).toBeLessThan(layer.bound.value);
    expect(layer.bound.value).toBeLessThan(productBound(mlp(weights)).bound.value);
    expect(new Set(layer.multipliers[0])).toHaveProperty('size', 1);
    expect(lipSdp(mlp(weights)).multipliers.map(({ length }) => length)).toEqual([32, 32]);
  });

  it('is never below sampled slopes, for every activation that never falls', () => {
    const functions = { relu: (x: number) => Math.max(0, x), tanh: Math.tanh, sigmoid: (x: number) => 1 / (1 + Math.exp(-x)), selu: (x: number) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)) };
    for (const [name, fn] of Object.entries(functions)) {
      const weights = kernels([3, 6, 6, 2], 9);
      const { value } = lipSdp(mlp(weights, () => activation(name as 'relu'))).bound;
      const run = (x: number[]): number[] => weights.reduce((at, { shape: [, m], values }, l) => Array.from({ length: m }, (_, o) => (l === 0 ? at : at.map(fn)).reduce((sum, v, i) => sum + v * values[i * m + o]!, 0)), x);
      for (let seed = 1; seed <= 60; seed++) {
        const x = Array.from(createRng(seed).normal(3, 0, 2));
        const step = Array.from(createRng(seed).stream('step').normal(3, 0, 10 ** -(seed % 4)));
        const [from, to] = [run(x), run(x.map((v, i) => v + step[i]!))];
        expect(Math.hypot(...to.map((v, i) => v - from[i]!)) / Math.hypot(...step), name).toBeLessThan(value);
      }
    }
  });

  it('bounds the difference of two logits below √2 times the bound of all', () => {
    const weights = kernels([6, 20, 4], 12);
    const { value } = lipSdp(mlp(weights), { difference: [0, 2] }).bound;
    const column = { shape: [20, 1] as [number, number], values: Float64Array.from({ length: 20 }, (_, i) => weights[1]!.values[4 * i]! - weights[1]!.values[4 * i + 2]!) };
    expect(value).toBeAllClose(lipSdp(mlp([weights[0]!, column])).bound.value, { rtol: 1e-3 });
    expect(value).toBeLessThan(Math.SQRT2 * lipSdp(mlp(weights)).bound.value);
  });

  it('takes convolutions, batch norm and leaky units, and a zero network', () => {
    const image = conv2d({ kernel: { shape: [3, 3, 1, 2], values: createRng(3).normal(18) }, inputSize: 4, padding: 'same', strides: 2 });
    const network = sequence([image, batchNorm({ gamma: [2, 0.5], variance: [1, 1], epsilon: 0 }), relu({ slope: 0.1 }), dense({ kernel: kernels([8, 3], 5)[0]! })]);
    const { value } = lipSdp(network).bound;
    expect(value).toBeWithin(0.1, productBound(network, { iterations: 12 }).bound.value * 1.001);
    expect(lipSdp(mlp([{ shape: [2, 2], values: new Float64Array(4) }, { shape: [2, 1], values: new Float64Array(2) }])).bound.value).toBe(0);
  });

  it('has the gradient of its objective', () => {
    const widths = [5, 4, 3, 2];
    const matrices = widths.slice(1).map((n, i) => Float64Array.from(createRng(i + 1).normal(n * widths[i]!, 0, 0.3)));
    const chain = { widths, matrices };
    const logs = Float64Array.from(createRng(9).uniform(7, -1, -0.5));
    const at = (point: Float64Array) => recurse(chain, firstGram(chain), point, 6)!;
    const slopes = at(logs).gradient();
    for (let k = 0; k < logs.length; k++) {
      const moved = (by: number): number => at(logs.map((value, i) => (i === k ? value + by : value))).objective;
      expect(slopes[k]).toBeAllClose((moved(1e-5) - moved(-1e-5)) / 2e-5, { rtol: 1e-6, atol: 1e-8 });
    }
  });

  it('refuses what it cannot bound, by name', () => {
    const [first, last] = kernels([2, 2, 2], 1) as [Kernel, Kernel];
    const ends = (middle: NetworkNode): NetworkNode => sequence([dense({ kernel: first }), middle, dense({ kernel: last })]);
    expect(() => lipSdp(ends(activation('gelu', 'g')))).toThrow("activation 'g' must never fall");
    expect(() => lipSdp(ends(softmax('probabilities')))).toThrow("of 'probabilities' only constants are known");
    expect(() => lipSdp(residual(ends(relu())))).toThrow("'residual' adds two paths");
    expect(() => lipSdp(ends(relu()), { difference: [0, 0] })).toThrow('name two of 2 outputs');
    expect(() => lipSdp(relu())).toThrow('begin with a dense layer');
  });
});
