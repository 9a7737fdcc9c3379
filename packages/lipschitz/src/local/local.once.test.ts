import '@moe/testing';
import { createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { residual, sequence } from '../network/composite-nodes.js';
import { activation, globalAveragePool, relu, softmax } from '../network/constant-nodes.js';
import { batchNorm, channelScale, conv2d, dense } from '../network/linear-nodes.js';
import { productBound } from '../network/product-bound.js';
import type { NetworkNode } from '../network/nodes.js';
import { graphOf } from '../network/graph.js';
import { crownBounds } from './crown.js';
import { intervalBounds } from './interval.js';
import { jacobianBound } from './jacobian.js';

type Layer = { shape: [number, number]; values: Float64Array; bias: Float64Array };
const layersOf = (widths: number[], seed: number): Layer[] =>
  widths.slice(1).map((n, i) => ({
    shape: [widths[i]!, n],
    values: Float64Array.from(createRng(seed).at(i).normal(n * widths[i]!, 0, 1.3 / Math.sqrt(widths[i]!))),
    bias: Float64Array.from(createRng(seed).at(i, 1).normal(n, 0, 0.3)),
  }));
const mlp = (layers: readonly Layer[], between: () => NetworkNode = relu): NetworkNode =>
  sequence(layers.flatMap((layer, i) => [...(i === 0 ? [] : [between()]), dense({ kernel: layer, bias: layer.bias })]));
/** By hand, apart from the code under test. */
const run = (layers: readonly Layer[], x: readonly number[], fn: (v: number) => number = (v) => Math.max(0, v)): number[] =>
  layers.reduce<number[]>((at, { shape: [, m], values, bias }, l) => {
    const input = l === 0 ? at : at.map(fn);
    return Array.from({ length: m }, (_, o) => input.reduce((sum, v, i) => sum + v * values[i * m + o]!, bias[o]!));
  }, [...x]);
const ACTIVATIONS: Record<string, (x: number) => number> = {
  relu: (x) => Math.max(0, x),
  relu6: (x) => Math.min(6, Math.max(0, x)),
  hardSigmoid: (x) => Math.min(1, Math.max(0, 0.2 * x + 0.5)),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  softplus: (x) => Math.log1p(Math.exp(x)),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  softsign: (x) => x / (1 + Math.abs(x)),
};
const inBall = (center: readonly number[], radius: number, norm: string, seed: number): number[] => {
  const step = Array.from(createRng(seed).normal(center.length));
  const length = norm === 'L2' ? Math.hypot(...step) : norm === 'L1' ? step.reduce((sum, v) => sum + Math.abs(v), 0) : 1;
  return center.map((v, i) => v + radius * (norm === 'Linf' ? Math.sign(step[i]!) * (seed % 3 ? 1 : Math.abs(createRng(seed).uniform(1)[0]!)) : (step[i]! / length) * (1 - 1e-9)));
};

describe('intervalBounds and crownBounds', () => {
  it('work a layer out by hand', () => {
    // z = (x₁ + x₂, x₁ − x₂) on |x| ≤ 1 lies in [−2, 2]², relu in [0, 2]²; y = relu(z₁) − relu(z₂) − 1 in [−3, 1].
    const network = sequence([dense({ kernel: { shape: [2, 2], values: [1, 1, 1, -1] }, bias: [0] }), relu(), dense({ kernel: { shape: [2, 1], values: [1, -1] }, bias: [-1] })]);
    const domain = { center: [0, 0], radius: 1 };
    const { lower, upper } = intervalBounds(network, domain);
    expect([lower[0], upper[0]]).toEqual([expect.closeTo(-3, 12), expect.closeTo(1, 12)]);
    // Around (0.9, 0) z is in [−1.1, 2.9]², where relu lies between z and 0.725 z + 0.7975. Then y ≤ 0.725 (x₁ + x₂) − (x₁ − x₂) − 0.2025 ≤ 0.0275 + 1.725 − 0.2025 = 1.55,
    // where intervals say 1.9, and y ≥ (x₁ + x₂) − 0.725 (x₁ − x₂) − 1.7975 ≥ −0.0275 − 1.725 − 1.7975 = −3.55, where they say −3.9.
    const aside = { center: [0.9, 0], radius: 1 };
    const boxes = [intervalBounds(network, aside), crownBounds(network, aside)].map((box) => [box.lower[0], box.upper[0]]);
    expect(boxes).toEqual([[expect.closeTo(-3.9, 12), expect.closeTo(1.9, 12)], [expect.closeTo(-3.55, 12), expect.closeTo(1.55, 12)]]);
  });

  it.each(Object.keys(ACTIVATIONS))('enclose every output with %s, CROWN within the intervals, both growing with the radius', (name) => {
    const fn = ACTIVATIONS[name]!;
    for (let seed = 1; seed <= 6; seed++) {
      const layers = layersOf([3, 8, 8, 2], seed);
      const network = mlp(layers, () => activation(name as 'relu'));
      const center = Array.from(createRng(seed).stream('center').normal(3, 0, seed));
      const clean = run(layers, center, fn);
      let widest = 0;
      for (const radius of [0, 0.01, 0.3, 2]) {
        const box = intervalBounds(network, { center, radius });
        const crown = crownBounds(network, { center, radius });
        const margins = crownBounds(network, { center, radius }, { margin: 1 });
        clean.forEach((value, o) => {
          expect(crown.lower[o]).toBeWithin(box.lower[o]! - 1e-9, value + 1e-9);
          expect(crown.upper[o]).toBeWithin(value - 1e-9, box.upper[o]! + 1e-9);
          if (radius === 0) expect(crown.upper[o]! - crown.lower[o]!).toBeLessThan(1e-9);
        });
        expect(margins.lower[0]).toBeGreaterThanOrEqual(box.lower[1]! - box.upper[0]! - 1e-9);
        expect([margins.lower[1], margins.upper[1]]).toEqual([0, 0]);
        for (let sample = 1; sample <= 30; sample++) {
          const y = run(layers, inBall(center, radius, 'Linf', sample), fn);
          y.forEach((value, o) => expect(value).toBeWithin(crown.lower[o]!, crown.upper[o]!));
          expect(y[1]! - y[0]!).toBeWithin(margins.lower[0]!, margins.upper[0]!);
        }
        const width = box.upper[0]! - box.lower[0]!;
        expect(width).toBeGreaterThanOrEqual(widest);
        widest = width;
      }
    }
  });

  it.each(['L2', 'L1'] as const)('enclose a ball in %s, more tightly than its box', (norm) => {
    const layers = layersOf([6, 10, 2], 3);
    const center = Array.from(createRng(5).normal(6));
    const domain = { center, radius: 0.5 };
    const ball = crownBounds(mlp(layers), { ...domain, norm });
    const box = crownBounds(mlp(layers), domain);
    for (let sample = 1; sample <= 200; sample++) run(layers, inBall(center, 0.5, norm, sample)).forEach((value, o) => expect(value).toBeWithin(ball.lower[o]!, ball.upper[o]!));
    expect(ball.upper[0]! - ball.lower[0]!).toBeLessThan(0.8 * (box.upper[0]! - box.lower[0]!));
  });

  it('keep within the range of pixels', () => {
    const network = sequence([dense({ kernel: { shape: [2, 1], values: [1, 1] }, bias: [0] })]);
    const { lower, upper } = intervalBounds(network, { center: [0.1, 0.5], radius: 0.25, bounds: [0, 1] });
    expect([lower[0], upper[0]]).toEqual([expect.closeTo(0.25, 12), expect.closeTo(1.1, 12)]);
    expect(crownBounds(network, { center: [0.1, 0.5], radius: 0.25, bounds: [0, 1] }).lower[0]).toBeCloseTo(0.25, 12);
    expect(() => intervalBounds(network, { center: [2, 0], radius: 1, bounds: [0, 1] })).toThrow('center[0] must lie within bounds [0, 1], got 2');
  });

  it('follow convolutions, shifts before zero padding, batch norm, pooling and residuals: at radius 0 they are the network', () => {
    const rng = createRng(4);
    const kernel = { shape: [3, 3, 2, 2], values: rng.normal(36) };
    const shift = channelScale({ factors: [2, 0.5], shifts: [0.3, -0.7] });
    const norm = batchNorm({ gamma: [1, 2], beta: [0.1, 0.2], mean: [0.5, -0.5], variance: [1, 4], epsilon: 0 });
    const conv = conv2d({ kernel, inputSize: 4, padding: 'same', bias: [0.2, -0.1] });
    const head = [globalAveragePool({ height: 4, width: 4 }), dense({ kernel: { shape: [2, 3], values: rng.normal(6) }, bias: [1, 2, 3] })];
    const network = sequence([shift, conv, norm, relu({ slope: 0.2 }), residual(sequence([conv2d({ kernel, inputSize: 4, padding: 'same', bias: [0] }), relu()])), ...head]);
    const center = Array.from(rng.normal(32));
    // The same without folding: an identity keeps the scales apart.
    const apart = sequence([shift, relu({ slope: 1 }), conv, relu({ slope: 1 }), norm, relu({ slope: 0.2 }), residual(sequence([conv2d({ kernel, inputSize: 4, padding: 'same', bias: [0] }), relu()])), ...head]);
    const [folded, plain] = [network, apart].map((node) => intervalBounds(node, { center, radius: 0 }));
    folded!.lower.forEach((low, o) => {
      expect(low).toBeCloseTo(plain!.lower[o]!, 10);
      expect(folded!.upper[o]! - low).toBeLessThan(1e-10);
    });
    const reach = crownBounds(network, { center, radius: 0.05 });
    const wide = intervalBounds(network, { center, radius: 0.05 });
    reach.upper.forEach((high, o) => expect(high - reach.lower[o]!).toBeLessThan(wide.upper[o]! - wide.lower[o]!));
    expect(graphOf('test', network, 32).steps).toHaveLength(7);
  });

  it('refuse what they do not know, by name', () => {
    const kernel = { shape: [2, 2], values: [1, 0, 0, 1] };
    const domain = { center: [0, 0], radius: 1 };
    expect(() => intervalBounds(sequence([dense({ name: 'first', kernel })]), domain)).toThrow("bias of 'first' must be part of the description");
    expect(() => crownBounds(sequence([dense({ kernel, bias: [0] }), softmax('p')]), domain)).toThrow("of 'p' only constants are known");
    expect(() => crownBounds(sequence([dense({ kernel, bias: [0] }), activation('gelu')]), domain)).toThrow("activation 'gelu' must be relu or one of");
    expect(() => crownBounds(dense({ kernel, bias: [0] }), { center: [0, 0, 0], radius: 1 })).toThrow("input of 'dense' must have 2 entries, got 3");
    expect(() => crownBounds(dense({ kernel, bias: [0] }), domain, { margin: 2 })).toThrow('margin must be an integer in [0, 1]');
    expect(() => crownBounds(dense({ kernel, bias: [0] }), { ...domain, radius: -1 })).toThrow('radius must be a finite number ≥ 0');
  });
});

describe('jacobianBound', () => {
  it('is the gradient at radius 0, grows with it, and is never below sampled slopes', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const layers = layersOf([4, 12, 12, 3], seed);
      const network = mlp(layers);
      const center = Array.from(createRng(seed).stream('x').normal(4));
      const gradient = (o: number): number[] => center.map((_, i) => {
        const moved = (by: number): number => run(layers, center.map((v, k) => (k === i ? v + by : v)))[o]!;
        return (moved(1e-7) - moved(-1e-7)) / 2e-7;
      });
      const rows = [0, 1, 2].map(gradient);
      expect(jacobianBound(network, { center, radius: 0 }).value).toBeCloseTo(Math.max(...rows.map((row) => row.reduce((sum, v) => sum + Math.abs(v), 0))), 4);
      const pair = { difference: [2, 0] as const };
      expect(jacobianBound(network, { center, radius: 0, norm: 'L2' }, pair).value).toBeCloseTo(Math.hypot(...rows[2]!.map((v, i) => v - rows[0]![i]!)), 4);
      for (const norm of ['L2', 'Linf', 'L1'] as const) {
        const length = (v: readonly number[]): number => (norm === 'L2' ? Math.hypot(...v) : norm === 'L1' ? v.reduce((sum, each) => sum + Math.abs(each), 0) : Math.max(...v.map(Math.abs)));
        let last = 0;
        for (const radius of [0, 0.05, 0.4]) {
          const bound = jacobianBound(network, { center, radius, norm });
          expect(bound).toMatchObject({ status: 'upper', norm, domain: { norm, radius } });
          expect(bound.value).toBeGreaterThanOrEqual(last * (1 - 1e-9));
          expect(bound.value).toBeLessThanOrEqual(jacobianBound(network, { center, radius, norm }, { intermediate: 'interval' }).value * (1 + 1e-9));
          last = bound.value;
          for (let sample = 1; sample <= (radius > 0 ? 30 : 0); sample++) {
            const [x, y] = [inBall(center, radius, norm, sample), inBall(center, radius, norm, sample + 100)];
            const [fx, fy] = [run(layers, x), run(layers, y)];
            expect(length(fx.map((v, o) => v - fy[o]!)) / length(x.map((v, i) => v - y[i]!))).toBeLessThanOrEqual(bound.value * (1 + 1e-9));
          }
        }
        expect(jacobianBound(network, { center, radius: 0.01, norm }).value).toBeLessThan(productBound(network, { norm }).bound.value);
      }
    }
  });

  it('knows the slopes of smooth activations on an interval', () => {
    // y = tanh(x) on [1, 2]: the slope is largest at 1. On [−1, 2] it is 1, at 0.
    const one = { kernel: { shape: [1, 1], values: [1] }, bias: [0] };
    const network = sequence([dense(one), activation('tanh'), dense(one)]);
    expect(jacobianBound(network, { center: [1.5], radius: 0.5 }).value).toBeCloseTo(1 / Math.cosh(1) ** 2, 10);
    expect(jacobianBound(network, { center: [0.5], radius: 1.5 }).value).toBeCloseTo(1, 10);
    const clipped = sequence([dense(one), activation('relu6'), dense(one)]);
    expect(jacobianBound(clipped, { center: [8], radius: 1 }).value).toBeLessThan(1e-9);
    expect(jacobianBound(clipped, { center: [7], radius: 2 }).value).toBeCloseTo(1, 10);
  });
});
