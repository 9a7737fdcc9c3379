import { createRng } from '@moe/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { densePowerIteration } from '../spectral/dense-power-iteration.js';
import { denseSpectralNorm } from '../spectral/dense-spectral-norm.js';
import { hardRouted, residual, sequence } from './composite-nodes.js';
import { identity, relu } from './constant-nodes.js';
import { gatedBounds } from './gated-bounds.js';
import { batchNorm, channelScale, conv2d, dense } from './linear-nodes.js';
import type { NetworkNode } from './nodes.js';
import { productBound } from './product-bound.js';

const diagonal = (...entries: number[]): { shape: number[]; values: number[] } => ({
  shape: [entries.length, entries.length],
  values: entries.flatMap((value, i) => entries.map((_, j) => (i === j ? value : 0))),
});
const scaled = (name: string, value: number): NetworkNode => dense({ name, kernel: diagonal(value) });
const kernelOf = (shape: number[], seed: number): { shape: number[]; values: Float32Array } => ({ shape, values: createRng(seed).normal(shape.reduce((a, b) => a * b)) });

describe('productBound', () => {
  it('multiplies along a sequence and adds at a residual', () => {
    // 2 · (1 + 3 · 1 · 5) · 7 = 224
    const network = sequence([scaled('in', 2), residual(sequence([scaled('a', 3), relu(), scaled('b', 5)])), scaled('out', 7)]);
    const { bound, parts } = productBound(network);
    expect(bound).toMatchObject({ status: 'upper', norm: 'L2', domain: 'global', method: 'product' });
    expect(bound.value).toBeCloseTo(224, 10);
    expect(parts.map(({ name }) => name)).toEqual(['in', 'residual', 'out']);
    expect(parts[1]!.bound.value).toBeCloseTo(16, 10);
    expect(parts[1]!.parts.map(({ bound: { value } }) => value)).toEqual([expect.closeTo(15, 10), 1]);
    expect(parts.reduce((product, part) => product * part.bound.value, 1)).toBeCloseTo(bound.value, 9);
  });

  it('folds batch norm into the layer before it, which is tighter than the product', () => {
    // diag(1, 10) with factors (10, 1): together 10, apart 10 · 10.
    const kernel = diagonal(1, 10);
    const norm = batchNorm({ gamma: [10, 1], variance: [0, 0], epsilon: 1 });
    const folded = productBound(sequence([dense({ kernel }), norm]), { iterations: 12 });
    expect(folded.bound.value).toBeCloseTo(10, 2);
    expect(folded.parts.map(({ name }) => name)).toEqual(['dense+batchNorm']);
    expect(productBound(sequence([dense({ kernel }), identity(), norm]), { iterations: 12 }).bound.value).toBeCloseTo(100, 1);
  });

  it('folds into a convolution exactly what scaling its filters gives, and input factors likewise', () => {
    const kernel = kernelOf([3, 3, 2, 3], 4);
    const options = { inputSize: 5, strides: 2, padding: 'same' } as const;
    const byHand = (factor: (i: number, o: number) => number): number =>
      productBound(conv2d({ kernel: { shape: kernel.shape, values: Float64Array.from(kernel.values, (v, k) => v * factor(Math.floor(k / 3) % 2, k % 3)) }, ...options })).bound.value;
    const outputs = channelScale({ factors: [2, -3, 0.5] });
    const inputs = channelScale({ factors: [0.1, 7] });
    expect(productBound(sequence([conv2d({ kernel, ...options }), outputs])).bound.value).toBeCloseTo(byHand((_, o) => [2, -3, 0.5][o]!), 10);
    expect(productBound(sequence([inputs, conv2d({ kernel, ...options })])).bound.value).toBeCloseTo(byHand((i) => [0.1, 7][i]!), 10);
    expect(() => sequence([conv2d({ kernel, ...options }), channelScale({ factors: [1, 2] })])).toThrow("must have 3 factors, the outputs of 'conv2d'");
  });

  it('is never below the Jacobian of a random MLP with residual, batch norm and ReLU, nor below its slopes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), (seed) => {
        const rng = createRng(seed);
        const n = 5;
        const square = (): Float64Array => Float64Array.from(rng.normal(n * n));
        const [w1, w2, w3] = [square(), square(), square()];
        const factors = Float64Array.from(rng.uniform(n, 0.2, 2));
        const times = (x: Float64Array, w: Float64Array): Float64Array => Float64Array.from({ length: n }, (_, o) => x.reduce((sum, v, i) => sum + v * w[i * n + o]!, 0));
        // y = (u + relu(u W1 · f) W2) W3 with u = x.
        const run = (x: Float64Array): Float64Array => {
          const hidden = times(x, w1).map((v, c) => Math.max(0, v * factors[c]!));
          const inner = times(hidden, w2);
          return times(x.map((v, i) => v + inner[i]!), w3);
        };
        const kernel = (values: Float64Array): { shape: number[]; values: Float64Array } => ({ shape: [n, n], values });
        const block = sequence([dense({ kernel: kernel(w1) }), batchNorm({ gamma: factors, variance: new Float64Array(n), epsilon: 1 }), relu(), dense({ kernel: kernel(w2) })]);
        const bounds = { L2: 0, Linf: 0, L1: 0 };
        for (const norm of ['L2', 'Linf', 'L1'] as const) bounds[norm] = productBound(sequence([residual(block), dense({ kernel: kernel(w3) })]), { norm }).bound.value;

        const x = Float64Array.from(rng.normal(n));
        const pattern = times(x, w1).map((v, c) => (v > 0 ? factors[c]! : 0));
        const jacobian = Float64Array.from({ length: n * n }, (_, k) => {
          const unit = Float64Array.from({ length: n }, (_v, i) => (i === Math.floor(k / n) ? 1 : 0));
          const inner = times(times(unit, w1).map((v, c) => v * pattern[c]!), w2);
          return times(unit.map((v, i) => v + inner[i]!), w3)[k % n]!;
        });
        expect(densePowerIteration(kernel(jacobian)).bound.value).toBeLessThanOrEqual(bounds.L2);
        expect(denseSpectralNorm(kernel(jacobian)).value).toBeLessThanOrEqual(bounds.L2 * (1 + 1e-10));
        for (let pair = 0; pair < 5; pair++) {
          const y = x.map((v) => v + rng.normal(1, 0, 10 ** (pair - 3))[0]!);
          const change = run(y).map((v, i) => v - run(x)[i]!);
          const step = y.map((v, i) => v - x[i]!);
          expect(Math.hypot(...change) / Math.hypot(...step)).toBeLessThanOrEqual(bounds.L2 * (1 + 1e-9));
          expect(Math.max(...change.map(Math.abs)) / Math.max(...step.map(Math.abs))).toBeLessThanOrEqual(bounds.Linf * (1 + 1e-9));
          expect(change.reduce((s, v) => s + Math.abs(v), 0) / step.reduce((s, v) => s + Math.abs(v), 0)).toBeLessThanOrEqual(bounds.L1 * (1 + 1e-9));
        }
      }),
      { seed: 5, numRuns: 40 },
    );
  });

  it('copies weights, so that later training does not change a description', () => {
    const values = Float64Array.of(2);
    const node = dense({ kernel: { shape: [1, 1], values } });
    values[0] = 100;
    expect(productBound(node).bound.value).toBeCloseTo(2, 12);
  });
});

// trunk 2 → experts 3 | 5 | 4 → head 7
const gated = (): NetworkNode => sequence([scaled('in', 2), relu(), hardRouted({ name: 'moe', experts: [3, 5, 4].map((value, e) => scaled(`e${e}`, value)) }), scaled('fc', 7)]);

describe('a hard-routed network', () => {
  it('has no global bound, and says why and what to do', () => {
    expect(() => productBound(gated())).toThrow("The output jumps where the router of 'moe' changes its choice, so no Lipschitz constant exists for the gated model. Fix an expert");
  });

  it('has the bound of the path when an expert is fixed', () => {
    const { bound, parts } = productBound(gated(), { experts: { moe: 1 } });
    expect(bound.value).toBeCloseTo(2 * 5 * 7, 10);
    expect(parts.map(({ name }) => name)).toEqual(['in', 'relu', 'moe/expert1', 'fc']);
    expect(() => productBound(gated(), { experts: { moe: 3 } })).toThrow("experts['moe'] must be an integer in [0, 2], got 3");
    expect(() => productBound(gated(), { experts: { moe: 0, other: 0 } })).toThrow("name hard-routed layers (moe), got 'other'");
  });

  it('gives gatedBounds every path, the largest of them, and the parts around the router', () => {
    const { bound, refusal, paths, anyPath, parts } = gatedBounds(gated());
    expect(bound).toBeUndefined();
    expect(refusal).toContain("'moe'");
    expect(paths.map((path) => path.bound.value)).toEqual([42, 70, 56].map((value) => expect.closeTo(value, 10)));
    expect(anyPath.value).toBeCloseTo(70, 10);
    expect(parts.map(({ name, bound: part }) => [name, part.value])).toEqual(
      [['trunk', 2], ['moe/expert0', 3], ['moe/expert1', 5], ['moe/expert2', 4], ['head', 7]].map(([name, value]) => [name, expect.closeTo(value as number, 10)]),
    );
  });

  it('covers mixed paths over several layers, and routed convolutions inside a residual', () => {
    const layer = (name: string, ...values: number[]): NetworkNode => hardRouted({ name, experts: values.map((value) => scaled(name, value)) });
    const network = sequence([layer('a', 1, 2), relu(), residual(sequence([layer('b', 3, 1), scaled('c', 2)]), identity('skip'), 'block'), layer('d', 1, 1)]);
    const { paths, anyPath, parts } = gatedBounds(network);
    // Same expert everywhere: 1 · (3·2 + 1) = 7 and 2 · (1·2 + 1) = 6; the worst mixture is 2 · 7 = 14.
    expect(paths.map((path) => path.bound.value)).toEqual([7, 6].map((value) => expect.closeTo(value, 10)));
    expect(anyPath.value).toBeCloseTo(14, 10);
    expect(productBound(network, { experts: { a: 1, b: 0, d: 0 } }).bound.value).toBeCloseTo(14, 10);
    expect(parts.map(({ name }) => name)).toEqual(['a/expert0', 'a/expert1', 'between1', 'block (b)/expert0', 'block (b)/expert1', 'd/expert0', 'd/expert1']);
  });

  it('refuses layers of one name, unequal numbers of experts, and a network without routing', () => {
    const layer = (name: string, count: number): NetworkNode => hardRouted({ name, experts: Array.from({ length: count }, () => scaled('e', 1)) });
    expect(() => gatedBounds(sequence([layer('a', 2), layer('a', 2)]))).toThrow("names of hard-routed layers must differ, got 'a'");
    expect(() => gatedBounds(sequence([layer('a', 2), layer('b', 3)]))).toThrow('numbers of experts must be the same in every layer, got [2, 3]');
    expect(() => gatedBounds(scaled('a', 1))).toThrow('Use productBound');
    expect(() => hardRouted({ name: 'a', experts: [] })).toThrow('at least one expert');
  });
});
