import '@moe/testing';
import { createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { lipSdp } from '../lip-sdp/lip-sdp.js';
import { jacobianBound } from '../local/jacobian.js';
import { sequence } from '../network/composite-nodes.js';
import { relu } from '../network/constant-nodes.js';
import { dense } from '../network/linear-nodes.js';
import type { NetworkNode } from '../network/nodes.js';
import { productBound } from '../network/product-bound.js';
import { seqLipEstimate } from './seq-lip-estimate.js';
import { slopeLowerBound } from './slope-lower-bound.js';
import { weibullEnd } from './weibull.js';

const layer = (inputs: number, outputs: number, seed: number): NetworkNode =>
  dense({ kernel: { shape: [inputs, outputs], values: createRng(seed).normal(inputs * outputs, 0, 1 / Math.sqrt(inputs)) }, bias: createRng(seed).stream('bias').normal(outputs, 0, 0.2) });
const mlp = (widths: number[], seed: number): NetworkNode => sequence(widths.slice(1).flatMap((n, i) => [...(i === 0 ? [] : [relu()]), layer(widths[i]!, n, seed + i)]));

describe('slopeLowerBound', () => {
  it('reaches the norm of a linear map by ascent, in every norm', () => {
    const kernel = { shape: [2, 2], values: [3, 1, 0, 2] };
    for (const norm of ['L2', 'Linf', 'L1'] as const) {
      const exact = productBound(dense({ kernel }), { norm, iterations: 14 }).bound.value;
      const { bound, pair } = slopeLowerBound(dense({ kernel, bias: [0] }), { center: [0, 0], radius: 1, norm }, { seed: 1, samples: 20, ascentSteps: 60 });
      expect(bound).toMatchObject({ status: 'lower', norm, domain: { norm, radius: 1 } });
      expect(bound.value / exact).toBeWithin(norm === 'L2' ? 0.999 : 0.9, 1 + 1e-9);
      expect(pair.every((x) => x.length === 2)).toBe(true);
    }
  });

  it('is never above the bounds, ascends, keeps its pair within the ball, and repeats with its seed', () => {
    for (let seed = 1; seed <= 4; seed++) {
      const network = mlp([4, 16, 16, 2], 10 * seed);
      const center = Array.from(createRng(seed).normal(4));
      for (const norm of ['L2', 'Linf'] as const) {
        const domain = { center, radius: 0.5, norm };
        const drawn = slopeLowerBound(network, domain, { seed, samples: 40 });
        const climbed = slopeLowerBound(network, domain, { seed, samples: 40, ascentSteps: 40 });
        expect(climbed.bound.value).toBeGreaterThanOrEqual(drawn.bound.value);
        expect(climbed.bound.value).toBeLessThanOrEqual(jacobianBound(network, domain).value * (1 + 1e-9));
        expect(slopeLowerBound(network, domain, { seed, samples: 40 }).bound).toEqual(drawn.bound);
        for (const x of climbed.pair) {
          const step = Array.from(x, (value, i) => value - center[i]!);
          expect(norm === 'L2' ? Math.hypot(...step) : Math.max(...step.map(Math.abs))).toBeLessThanOrEqual(0.5 * (1 + 1e-12));
        }
      }
    }
  });
});

describe('seqLipEstimate', () => {
  it('finds the largest slope over activation patterns of one hidden layer with one output', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const [w, v] = [createRng(seed).normal(24), createRng(seed).stream('v').normal(8)];
      let exact = 0;
      for (let pattern = 0; pattern < 256; pattern++) {
        const slope = [0, 1, 2].map((i) => v.reduce((sum, value, h) => sum + ((pattern >> h) & 1) * value * w[i * 8 + h]!, 0));
        exact = Math.max(exact, Math.hypot(...slope));
      }
      const network = sequence([dense({ kernel: { shape: [3, 8], values: w } }), relu(), dense({ kernel: { shape: [8, 1], values: v } })]);
      const estimate = seqLipEstimate(network, { seed: 1, restarts: 8 });
      expect(estimate).toMatchObject({ status: 'estimate', norm: 'L2' });
      expect(estimate.value / exact).toBeWithin(0.97, 1 + 1e-6);
    }
  });

  it('lies between sampled slopes and the product for a deeper net, in the order of LipSDP', () => {
    const network = mlp([6, 20, 20, 3], 3);
    const { value } = seqLipEstimate(network, { seed: 1 });
    expect(value).toBeLessThan(productBound(network).bound.value);
    expect(value).toBeGreaterThan(slopeLowerBound(network, { center: new Float64Array(6), radius: 2, norm: 'L2' }, { seed: 1 }).bound.value);
    expect(value / lipSdp(network).bound.value).toBeWithin(0.7, 1.6);
  });
});

describe('weibullEnd', () => {
  it('finds the end of a reverse Weibull sample, and of equal maxima', () => {
    // y = 5 − 2 (−log u)^(1/3) has the end 5.
    const maxima = Float64Array.from(createRng(3).uniform(2000), (u) => 5 - 2 * (-Math.log(u)) ** (1 / 3));
    expect(weibullEnd(maxima)).toBeWithin(4.9, 5.2);
    expect(weibullEnd(Float64Array.of(2, 2, 2))).toBe(2);
  });
});
