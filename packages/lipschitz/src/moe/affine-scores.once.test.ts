import { createRng } from '@moe/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LENGTH, applyAffine, column, plus, randomAffine, randomStep, steepest, topOf } from '../testing/toys.js';
import { affineScores } from './affine-scores.js';
import { boundedScores } from './bounded-scores.js';
import { pullBackRoute, routeRadius } from './route-radius.js';

const layer = (numExperts: number, topK: number) => ({ name: 'moe', numExperts, topK, batchInvariant: true });
const NORMS = ['L2', 'Linf', 'L1'] as const;

describe('affineScores', () => {
  it('gives the hand-worked radius of two experts in every norm, and with a box', () => {
    // z = (3 x₁ + 4 x₂, 0) at x = (0.5, 0.5): margin 3.5, difference of rows (3, 4).
    const options = { kernel: { shape: [2, 2], values: [3, 0, 4, 0] }, input: [0.5, 0.5] };
    const radius = (norm: (typeof NORMS)[number], box?: [number, number]): number => routeRadius(affineScores({ ...options, norm, ...(box && { box }) }), layer(2, 1)).radius;
    expect(radius('L2')).toBeCloseTo(3.5 / 5, 12);
    expect(radius('Linf')).toBeCloseTo(3.5 / 7, 12);
    expect(radius('L1')).toBeCloseTo(3.5 / 4, 12);
    // Within [0, 1] both fall to 0 at Linf 0.5, exactly enough. L1: 0.5 of the second gives 2, then 1.5 / 3 of the first.
    expect(radius('Linf', [0, 1])).toBeCloseTo(0.5, 12);
    expect(radius('L1', [0, 1])).toBeCloseTo(1, 12);
    // L2 within [0.1, 1]: at the water level t, 4 t reaches 0.4 at t = 0.1; 3 t would then need (3.5 − 1.6) / 3 > 0.4. Never.
    expect(radius('L2', [0.1, 1])).toBe(Infinity);
    // Within [−0.1, 1]: 4 t stops at 0.6, worth 2.4; the rest is 1.1 / 3 of the first, from t = 0.15 or 0.45 on. But 3.5 is reached before, at t = 3.5 / 25 = 0.14: free.
    expect(radius('L2', [-0.1, 1])).toBeCloseTo(3.5 / 5, 12);
    // Within [0, 1]: 4 t stops at 0.5, worth 2; then 1.5 / 3 = 0.5 of the first.
    expect(radius('L2', [0, 1])).toBeCloseTo(Math.SQRT1_2, 12);
  });

  it('is never flipped inside, and flips just outside along the steepest direction', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.constantFrom(...NORMS), fc.integer({ min: 1, max: 3 }), (seed, norm, topK) => {
        const [inputs, experts] = [7, 6];
        const router = randomAffine(inputs, experts, seed);
        const input = Float64Array.from(createRng(seed + 1).normal(inputs));
        const { radius, chosen, rival, exact } = routeRadius(affineScores({ ...router, input, norm }), layer(experts, topK));
        const routeAt = (step: Float64Array): number[] => topOf(applyAffine(router, plus(input, step)), topK);
        expect(exact).toBe(true);
        expect(chosen).toEqual(routeAt(new Float64Array(inputs)));
        for (let trial = 1; trial <= 20; trial++) expect(routeAt(randomStep(inputs, norm, radius * 0.9999, seed + trial))).toEqual(chosen);
        const [lost, gained] = rival!;
        const worst = column(router.kernel, gained).map((value, d) => value - column(router.kernel, lost)[d]!);
        expect(routeAt(steepest(worst, norm, radius * 0.9999))).toEqual(chosen);
        expect(routeAt(steepest(worst, norm, radius * 1.0001))).not.toEqual(chosen);
      }),
      { seed: 3, numRuns: 50 },
    );
  });

  it('is exact in a box: no perturbation inside it does more, and one does as much', () => {
    const low = (value: number): number => Math.max(0, Math.min(1, value));
    /** The best perturbation in the box, by bisection on its water level, its common step, or the last coordinate that moves. */
    const best = (rise: Float64Array, caps: Float64Array, norm: (typeof NORMS)[number], radius: number): Float64Array => {
      if (norm === 'Linf') return rise.map((slope, d) => Math.sign(slope) * Math.min(radius, caps[d]!));
      if (norm === 'L1') {
        let left = radius;
        const step = new Float64Array(rise.length);
        for (const d of Array.from(rise.keys()).sort((a, b) => Math.abs(rise[b]!) - Math.abs(rise[a]!))) {
          step[d] = Math.sign(rise[d]!) * Math.min(left, caps[d]!);
          left -= Math.abs(step[d]!);
        }
        return step;
      }
      let [a, b] = [0, 1e6];
      const at = (level: number): Float64Array => rise.map((slope, d) => Math.sign(slope) * Math.min(caps[d]!, level * Math.abs(slope)));
      for (let i = 0; i < 200; i++) [a, b] = LENGTH.L2(at((a + b) / 2)) > radius ? [a, (a + b) / 2] : [(a + b) / 2, b];
      return at(a);
    };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.constantFrom(...NORMS), fc.double({ min: 0.01, max: 3, noNaN: true }), (seed, norm, radius) => {
        const inputs = 9;
        const router = randomAffine(inputs, 2, seed);
        const input = Float64Array.from(createRng(seed + 1).uniform(inputs));
        const scores = affineScores({ ...router, input, norm, box: [0, 1] });
        const rise = column(router.kernel, 1).map((value, d) => value - column(router.kernel, 0)[d]!);
        const caps = rise.map((slope, d) => (slope > 0 ? 1 - input[d]! : input[d]!));
        const value = (step: Float64Array): number => {
          const z = applyAffine(router, plus(input, step));
          return z[1]! - z[0]!;
        };
        const gap = scores.largestGap(0, 1, radius);
        expect(gap).toBeGreaterThanOrEqual(value(best(rise, caps, norm, radius)) - 1e-12);
        expect(gap).toBeLessThanOrEqual(value(best(rise, caps, norm, radius)) + 1e-9);
        for (let trial = 1; trial <= 20; trial++) {
          const step = plus(input, randomStep(inputs, norm, radius, seed + trial)).map((x, d) => low(x) - input[d]!);
          expect(value(step)).toBeLessThanOrEqual(gap);
        }
        const distance = scores.distance(0, 1);
        if (distance > 0 && distance < Infinity) expect(scores.largestGap(0, 1, distance)).toBeCloseTo(0, 9);
        if (distance === Infinity) expect(scores.largestGap(0, 1, 1e3)).toBeLessThan(0);
      }),
      { seed: 4, numRuns: 50 },
    );
  });

  it('gives 0 at a tie, ∞ where nothing can change, and class margins as a router of one', () => {
    const tied = affineScores({ kernel: { shape: [1, 2], values: [1, 2] }, bias: [1, 0], input: [1] });
    expect(routeRadius(tied, layer(2, 1))).toMatchObject({ radius: 0, chosen: [0] });
    const parallel = affineScores({ kernel: { shape: [1, 2], values: [1, 1] }, bias: [1, 0], input: [1] });
    expect(routeRadius(parallel, layer(2, 1)).radius).toBe(Infinity);
    expect(routeRadius(parallel, layer(2, 2))).toEqual({ radius: Infinity, norm: 'L2', confidence: 1, layer: 'moe', chosen: [0, 1], exact: true });
  });

  it('refuses an input outside its box or of another size', () => {
    const kernel = { shape: [2, 2], values: [1, 0, 0, 1] };
    expect(() => affineScores({ kernel, input: [0.5, 1.5], box: [0, 1] })).toThrow('input[1] must lie in the box [0, 1], got 1.5');
    expect(() => affineScores({ kernel, input: [0.5] })).toThrow('input must have 2 entries');
    expect(() => affineScores({ kernel, input: [0, 0], bias: [1] })).toThrow('bias must have 2 entries');
  });
});

describe('routeRadius', () => {
  it('of bounded scores is margin / (c L), and never above the exact one', () => {
    const bound = { value: 2, status: 'upper', norm: 'L2', domain: 'global', method: 'test' } as const;
    const { radius, exact, rival } = routeRadius(boundedScores({ gateLogits: [3, 0, 1], bound }), layer(3, 1));
    expect(radius).toBeCloseTo(2 / (2 * Math.SQRT2), 12);
    expect({ exact, rival }).toEqual({ exact: false, rival: [0, 2] });
    const ball = boundedScores({ gateLogits: [3, 0], bound: { ...bound, domain: { norm: 'L2', radius: 0.1 } } });
    expect(routeRadius(ball, layer(2, 1)).radius).toBe(0.1);
    expect(() => ball.largestGap(0, 1, 0.2)).toThrow('radius must be at most 0.1');
  });

  it('shrinks by the bound of the layers before the router', () => {
    const route = routeRadius(affineScores({ kernel: { shape: [1, 2], values: [1, 0] }, input: [3] }), layer(2, 1));
    const before = { value: 6, status: 'upper', norm: 'L2', domain: 'global', method: 'test' } as const;
    expect(pullBackRoute(route, before)).toMatchObject({ radius: expect.closeTo(0.5, 12), exact: false });
    expect(pullBackRoute(route, { ...before, domain: { norm: 'L2', radius: 0.2 } }).radius).toBe(0.2);
    expect(() => pullBackRoute(route, { ...before, norm: 'Linf' })).toThrow("before.norm must be 'L2'");
    // @ts-expect-error a lower bound certifies nothing
    expect(() => pullBackRoute(route, { ...before, status: 'lower' })).toThrow("got 'lower'");
  });

  it('refuses a layer whose routing depends on the batch, with its name and the reason', () => {
    const scores = affineScores({ kernel: { shape: [1, 2], values: [1, 0] }, input: [3] });
    expect(() => routeRadius(scores, { ...layer(2, 1), name: 'layer4.0', batchInvariant: false })).toThrow("layer 'layer4.0' must route each row by that row alone, got one whose routing depends on the other rows");
    expect(() => routeRadius(scores, layer(3, 1))).toThrow("scores must have 3 entries, one an expert of layer 'moe', got 2");
  });
});
