import { createRng } from '@moe/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyAffine, plus, randomAffine, randomStep, topOf } from '../testing/toys.js';
import { affineScores } from './affine-scores.js';
import { reachableRoutes } from './reachable-routes.js';
import { routeRadius } from './route-radius.js';

const layer = (numExperts: number, topK: number) => ({ name: 'moe', numExperts, topK, batchInvariant: true });

describe('reachableRoutes', () => {
  it('lists the hand-worked routes on a line', () => {
    // Scores (x, 1, 0.5 − x) at x = 0: 1 leads; expert 0 draws level with 1 at x = 1, with 2 at 0.25; 2 with 1 at −0.5.
    const scores = affineScores({ kernel: { shape: [1, 3], values: [1, 0, -1] }, bias: [0, 1, 0.5], input: [0] });
    const routes = (topK: number, radius: number) => reachableRoutes(scores, layer(3, topK), radius);
    expect(routes(1, 0.4)).toEqual({ routes: [[1]], complete: true, always: [1], possible: [1] });
    expect(routes(1, 0.6).routes).toEqual([[1], [2]]);
    expect(routes(1, 1.1).routes).toEqual([[1], [2], [0]]);
    expect(routes(2, 0.2)).toEqual({ routes: [[1, 2]], complete: true, always: [1, 2], possible: [1, 2] });
    expect(routes(2, 0.4)).toEqual({ routes: [[1, 2], [0, 1]], complete: true, always: [1], possible: [0, 1, 2] });
    expect(routes(3, 5).routes).toEqual([[0, 1, 2]]);
  });

  it('holds the tie itself, whichever way the router breaks it', () => {
    const tied = affineScores({ kernel: { shape: [1, 2], values: [1, 2] }, bias: [1, 0], input: [1] });
    expect(reachableRoutes(tied, layer(2, 1), 0).routes).toEqual([[0], [1]]);
  });

  it('misses no route that an input in the ball takes, and has one alone inside the route radius', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.constantFrom('L2' as const, 'Linf' as const, 'L1' as const), fc.integer({ min: 1, max: 3 }), fc.double({ min: 0.05, max: 2, noNaN: true }), (seed, norm, topK, radius) => {
        const [inputs, experts] = [4, 6];
        const router = randomAffine(inputs, experts, seed);
        const input = Float64Array.from(createRng(seed + 1).normal(inputs));
        const scores = affineScores({ ...router, input, norm });
        const { routes, complete, always, possible } = reachableRoutes(scores, layer(experts, topK), radius);
        expect(complete).toBe(true);
        const keys = routes.map((route) => route.join());
        expect(new Set(keys).size).toBe(keys.length);
        for (let trial = 1; trial <= 60; trial++) expect(keys).toContain(topOf(applyAffine(router, plus(input, randomStep(inputs, norm, radius * (trial / 60), seed + trial))), topK).join());
        expect(always).toEqual(Array.from({ length: experts }, (_, e) => e).filter((e) => routes.every((route) => route.includes(e))));
        expect(possible).toEqual(Array.from({ length: experts }, (_, e) => e).filter((e) => routes.some((route) => route.includes(e))));
        const stable = routeRadius(scores, layer(experts, topK));
        expect(reachableRoutes(scores, layer(experts, topK), stable.radius * (1 - 1e-9)).routes).toEqual([stable.chosen]);
        expect(reachableRoutes(scores, layer(experts, topK), stable.radius * (1 + 1e-9)).routes.length).toBeGreaterThan(1);
      }),
      { seed: 5, numRuns: 50 },
    );
  });

  it('says so when there are too many', () => {
    const flat = affineScores({ kernel: { shape: [1, 12], values: new Float64Array(12) }, input: [0] });
    const { routes, complete } = reachableRoutes(flat, layer(12, 6), 1, 100);
    expect(routes).toHaveLength(100);
    expect(complete).toBe(false);
    expect(reachableRoutes(flat, layer(12, 6), 1, 924).complete).toBe(true);
    expect(() => reachableRoutes(flat, { ...layer(12, 6), batchInvariant: false }, 1)).toThrow("layer 'moe' must route each row by that row alone");
  });
});
