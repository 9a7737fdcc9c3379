import { createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { productBound } from '../network/product-bound.js';
import { attention } from './attention.js';

const [FEATURES, INNER, TOKENS] = [3, 2, 4];
const kernel = (seed: number, rows: number, cols: number) => ({ shape: [rows, cols], values: Float64Array.from(createRng(seed).normal(rows * cols)) });
const times = (x: number[][], { shape: [, cols], values }: ReturnType<typeof kernel>): number[][] => x.map((row) => Array.from({ length: cols! }, (_, o) => row.reduce((sum, v, i) => sum + v * values[i * cols! + o]!, 0)));

function run(x: number[][], heads: { query: ReturnType<typeof kernel>; key: ReturnType<typeof kernel>; value: ReturnType<typeof kernel> }[]): number[] {
  return heads.flatMap(({ query, key, value }) => {
    const [q, k, v] = [times(x, query), times(x, key), times(x, value)];
    return q.flatMap((row) => {
      const e = k.map((other) => Math.exp(row.reduce((sum, each, i) => sum + each * other[i]!, 0) / Math.sqrt(INNER)));
      const total = e.reduce((a, b) => a + b);
      return v[0]!.map((_, c) => e.reduce((sum, weight, t) => sum + (weight / total) * v[t]![c]!, 0));
    });
  });
}

describe('attention', () => {
  it('is never below slopes between tokens of the ball, close or apart, with one head or two', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const heads = Array.from({ length: 1 + (seed % 2) }, (_, h) => ({ query: kernel(seed + 50 * h, FEATURES, INNER), key: kernel(seed + 7 + 50 * h, FEATURES, INNER), value: kernel(seed + 9 + 50 * h, FEATURES, INNER) }));
      const radius = [0.3, 1, 2][seed % 3]!;
      const { value } = productBound(attention({ heads, tokens: TOKENS, radius })).bound;
      const token = (draw: number): number[] => {
        const step = Array.from(createRng(seed).at(draw).normal(FEATURES));
        return step.map((v) => (v * radius) / Math.hypot(...step));
      };
      for (let sample = 0; sample < 20; sample++) {
        const x = Array.from({ length: TOKENS }, (_, t) => token(100 * sample + t));
        const blend = sample % 2 ? 0.999 : 0.2;
        const y = x.map((row, t) => row.map((v, i) => blend * v + (1 - blend) * token(100 * sample + 50 + t)[i]!));
        const change = run(y, heads).map((v, i) => v - run(x, heads)[i]!);
        expect(Math.hypot(...change) / Math.hypot(...y.flatMap((row, t) => row.map((v, i) => v - x[t]![i]!)))).toBeLessThan(value);
      }
    }
  });

  it('is by hand √3 · 2 · √(1 · 1 · 5 + 1) for one token, unit kernels, value 2', () => {
    // A = 1 · 1 / √1, R = 1, n = 1: √3 · 2 · √(4 + 1 + 1).
    const one = (value: number) => ({ shape: [1, 1], values: [value] });
    const options = { heads: [{ query: one(1), key: one(1), value: one(2) }], tokens: 1, radius: 1 };
    expect(attention(options).bounds.L2!.value).toBeCloseTo(Math.sqrt(3) * 2 * Math.sqrt(6), 10);
    expect(attention({ ...options, output: one(3) }).bounds.L2!.value).toBeCloseTo(3 * Math.sqrt(3) * 2 * Math.sqrt(6), 10);
    expect(() => attention({ ...options, heads: [{ query: one(1), key: { shape: [2, 1], values: [1, 1] }, value: one(1) }] })).toThrow('one number of features');
    expect(() => productBound(attention(options), { norm: 'Linf' })).toThrow("'attention' must have a constant in Linf");
  });
});
