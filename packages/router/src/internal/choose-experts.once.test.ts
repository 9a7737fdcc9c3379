import { createRng } from '@moe/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseExperts } from './choose-experts.js';

const cases = fc.record({
  numExperts: fc.integer({ min: 1, max: 6 }),
  rows: fc.integer({ min: 1, max: 20 }),
  k: fc.integer({ min: 1, max: 6 }),
  capacityFactor: fc.constantFrom(0.3, 1, 1.5, Infinity),
  noise: fc.boolean(),
  // Few distinct gates, so that ties and saturated zeros are common.
  gates: fc.array(fc.constantFrom(0, 0, 0.1, 0.25, 0.5, 1), { minLength: 120, maxLength: 120 }),
  shut: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
});

describe('chooseExperts', () => {
  it('gives every row k different allowed experts, whatever the capacity', () => {
    fc.assert(
      fc.property(cases, ({ numExperts, rows, k, capacityFactor, noise, gates, shut }) => {
        const allowed = Array.from({ length: numExperts }, (_, e) => e === 0 || !shut[e]!);
        const topK = Math.min(k, allowed.filter(Boolean).length);
        const choices = chooseExperts(gates.slice(0, rows * numExperts), numExperts, { topK, allowed, noise: noise ? { std: 0.1, rng: createRng(1) } : undefined, capacityFactor });
        expect(choices.length).toBe(rows * topK);
        for (let row = 0; row < rows; row++) {
          const chosen = choices.slice(row * topK, (row + 1) * topK);
          expect(new Set(chosen).size).toBe(topK);
          for (const expert of chosen) expect(allowed[expert]).toBe(true);
        }
      }),
      { seed: 2, numRuns: 50 },
    );
  });

  it('keeps every expert within capacity at k = 1, where the room suffices for all rows', () => {
    fc.assert(
      fc.property(cases, ({ numExperts, rows, gates, noise }) => {
        const choices = chooseExperts(gates.slice(0, rows * numExperts), numExperts, { topK: 1, allowed: undefined, noise: noise ? { std: 0.1, rng: createRng(1) } : undefined, capacityFactor: 1 });
        const loads = new Int32Array(numExperts);
        for (const expert of choices) loads[expert]!++;
        expect(Math.max(...loads)).toBeLessThanOrEqual(Math.ceil(rows / numExperts));
      }),
      { seed: 3, numRuns: 50 },
    );
  });

  it('lets an expert keep its surest rows, ties to the first', () => {
    // All four rows want expert 0, which has room for two: softmax(.9, 0) and softmax(.8, 0) beat softmax(.7, 0).
    const choose = (first: number[]): number[] =>
      Array.from(chooseExperts(first.flatMap((gate) => [gate, 0]), 2, { topK: 1, allowed: undefined, noise: undefined, capacityFactor: 1 }));
    expect(choose([0.7, 0.9, 0.7, 0.8])).toEqual([1, 0, 1, 0]);
    expect(choose([0.7, 0.7, 0.7, 0.7])).toEqual([0, 0, 1, 1]);
  });
});
