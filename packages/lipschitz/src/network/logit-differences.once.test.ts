import '@moe/testing';
import { createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { intervalBounds } from '../local/interval.js';
import { pairBound } from '../moe/score-bounds.js';
import { residual, sequence } from './composite-nodes.js';
import { activation, boundedMap, identity, relu } from './constant-nodes.js';
import { channelScale, dense } from './linear-nodes.js';
import { logitDifferenceBounds } from './logit-differences.js';
import { productBound } from './product-bound.js';

const kernelOf = (shape: number[], seed: number): { shape: number[]; values: Float32Array } => ({ shape, values: createRng(seed).normal(shape.reduce((a, b) => a * b)) });
const sound = (value: number, status: 'exact' | 'upper' = 'upper') => ({ value, status, norm: 'L2', domain: 'global', method: 'test' }) as const;

describe('logitDifferenceBounds', () => {
  it('is the bound up to the head times the difference of two columns', () => {
    // Twice, then columns (3, 0), (0, 4), (3, 1) of the head.
    const head = { shape: [2, 3], values: [3, 0, 3, 0, 4, 1] };
    for (const end of [[], [identity(), activation('linear')]]) {
      const between = logitDifferenceBounds(sequence([channelScale({ factors: [2], shifts: [0] }), relu(), dense({ kernel: head }), ...end]));
      expect(between(0, 1)).toMatchObject({ status: 'upper', norm: 'L2', domain: 'global' });
      expect([between(0, 1), between(1, 0), between(0, 2)].map(({ value }) => value)).toBeAllClose([10, 10, 2]);
    }
    const flat = logitDifferenceBounds(sequence([relu(), dense({ kernel: head })]), { norm: 'Linf' });
    expect(flat(0, 1).value).toBeCloseTo(7, 12);
  });

  it('looks into a layer that brings a bound of its own', () => {
    const kernel = { shape: [2, 2], values: [1, 0, 0, 1] };
    const between = logitDifferenceBounds(sequence([relu(), boundedMap({ name: 'own', bounds: [sound(1)], network: dense({ kernel }) })]));
    expect(between(0, 1).value).toBeCloseTo(Math.SQRT2, 12);
  });

  it('is the pair bound of the whole where there is no dense head, and never much larger', () => {
    const network = sequence([dense({ kernel: kernelOf([3, 4], 1) }), relu(), dense({ kernel: kernelOf([4, 5], 2) })]);
    const whole = pairBound(productBound(network).bound).value;
    const between = logitDifferenceBounds(network);
    for (let other = 1; other < 5; other++) expect(between(0, other).value).toBeLessThanOrEqual(whole);
    expect(logitDifferenceBounds(sequence([network, relu()]))(0, 1).value).toBeAllClose(whole, { rtol: 1e-14 });
  });

  it('refuses a class that is none', () => {
    expect(() => logitDifferenceBounds(dense({ kernel: kernelOf([2, 3], 3) }))(0, 3)).toThrow('logitDifferenceBounds: other must be an integer in [0, 2], got 3.');
  });
});

describe('boundedMap with a network', () => {
  const inner = dense({ kernel: { shape: [2, 2], values: [2, 0, 0, 2] }, bias: [1, -1] });
  const valueOf = (...args: Parameters<typeof productBound>): number => productBound(...args).bound.value;

  it('has the smaller bound, or that of the network where none is given', () => {
    const [loose, tight] = [3, 1].map((value) => boundedMap({ name: 'own', bounds: [sound(value)], network: inner }));
    expect(valueOf(loose!)).toBeCloseTo(2, 2);
    expect(valueOf(tight!)).toBe(1);
    expect(valueOf(tight!, { norm: 'Linf' })).toBeCloseTo(2, 12);
    expect(productBound(sequence([boundedMap({ name: 'own', bounds: [sound(2.5, 'exact')], network: inner })])).parts[0]!.bound).toMatchObject({ value: 2.5, status: 'exact' });
  });

  it('keeps its bound beside scales, and is followed by local bounds, in a residual too', () => {
    const own = boundedMap({ name: 'own', bounds: [sound(1)], network: inner });
    expect(productBound(sequence([channelScale({ factors: [3, 4], shifts: [0] }), own])).parts.map(({ name }) => name)).toEqual(['scale', 'own']);
    const { lower, upper } = intervalBounds(residual(own), { center: [1, 2], radius: 0.5 });
    // 3 x + b over [0.5, 1.5] and [1.5, 2.5].
    expect(lower).toBeAllClose([2.5, 3.5]);
    expect(upper).toBeAllClose([5.5, 6.5]);
  });
});
