import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { philox4x32 } from './philox.js';
import { createRng, restoreRng } from './rng.js';

const block = (counter: number[], key: number[]): number[] => {
  const out = new Uint32Array(4);
  philox4x32(counter[0]!, counter[1]!, counter[2]!, counter[3]!, key[0]!, key[1]!, out);
  return Array.from(out);
};

describe('philox4x32', () => {
  // Known-answer vectors of Random123, file kat_vectors, lines "philox4x32 10".
  it.each([
    [[0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]],
  ])('maps counter %j under key %j to the published block', (counter, key, expected) => {
    expect(block(counter, key)).toEqual(expected);
  });
});

describe('createRng', () => {
  it('gives the same draws for the same seed and other draws for another', () => {
    expect(createRng(7).uniform(5)).toEqual(createRng(7).uniform(5));
    expect(createRng(7).uniform(5)).not.toEqual(createRng(8).uniform(5));
    expect(createRng(2 ** 32).uniform(3)).not.toEqual(createRng(0).uniform(3));
  });

  it('derives children that do not depend on what was drawn, on order, or on siblings', () => {
    const quiet = createRng(1);
    const busy = createRng(1);
    busy.uniform(100);
    busy.stream('other').normal(3);
    expect(busy.stream('noise').at(4, 2).normal(6)).toEqual(quiet.stream('noise').at(4).at(2).normal(6));
  });

  it('keeps streams, paths and draws of one key apart', () => {
    const rng = createRng(3);
    const children = ['', 'a', 'b', 'ab', 'abcdefgh', 'abcdefghi'].map((name) => rng.stream(name)).concat([0, 1, 2 ** 32, 97].map((i) => rng.at(i)));
    const first = children.map((child) => child.uniform(4).join());
    expect(new Set(first).size).toBe(children.length);
  });

  it('continues exactly after restoreRng, through JSON', () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.nat(20), { maxLength: 5 }), (seed, draws) => {
        const rng = createRng(seed).stream('x');
        for (const n of draws) rng.normal(n);
        const copy = restoreRng(JSON.parse(JSON.stringify(rng.state())));
        expect(copy.uniform(7)).toEqual(rng.uniform(7));
        expect(copy.state()).toEqual(rng.state());
      }),
      { numRuns: 30, seed: 1 },
    );
  });

  it('draws uniform values in [low, high) with the right mean and variance', () => {
    const values = createRng(5).uniform(100_000, -2, 4);
    expect(values).toBeWithin(-2, 4 - 1e-6);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    // Standard errors: 6/√12/√n = 0.0055 for the mean; variance 36/12 = 3 with error ≈ 0.008.
    expect(mean).toBeAllClose(1, { atol: 0.025, rtol: 0 });
    expect(variance).toBeAllClose(3, { atol: 0.04, rtol: 0 });
  });

  it('draws normal values whose moments and tails are normal', () => {
    const values = createRng(6).normal(100_001, 1, 2);
    const z = Array.from(values, (v) => (v - 1) / 2);
    const moment = (p: number): number => z.reduce((a, b) => a + b ** p, 0) / z.length;
    expect(moment(1)).toBeAllClose(0, { atol: 0.015, rtol: 0 });
    expect(moment(2)).toBeAllClose(1, { atol: 0.025, rtol: 0 });
    expect(moment(4)).toBeAllClose(3, { atol: 0.15, rtol: 0 });
    // P(|z| > 1.96) = 0.05, standard error 0.0007.
    expect(z.filter((v) => Math.abs(v) > 1.959964).length / z.length).toBeAllClose(0.05, { atol: 0.003, rtol: 0 });
  });

  it('permutes: every number once, every place equally likely', () => {
    const counts = new Array<number>(25).fill(0);
    for (let i = 0; i < 5000; i++) {
      const order = createRng(9).at(i).permutation(5);
      expect(Array.from(order).sort()).toEqual([0, 1, 2, 3, 4]);
      order.forEach((value, place) => counts[place * 5 + value]!++);
    }
    // Each count is binomial(5000, 1/5): 1000 ± 28.
    expect(counts).toBeWithin(880, 1120);
  });

  it('draws integers over the whole range and seeds that tfjs accepts', () => {
    const values = createRng(2).integers(3000, 3);
    for (const value of [0, 1, 2]) expect(values.filter((v) => v === value).length).toBeWithin(880, 1120);
    const rng = createRng(2);
    for (let i = 0; i < 1000; i++) expect(rng.nextSeed()).toBeWithin(1, 2 ** 31 - 1);
  });

  it('refuses what is not a seed, an index or a state', () => {
    expect(() => createRng(-1)).toThrow('createRng: seed must be an integer ≥ 0, got -1.');
    expect(() => createRng(0.5)).toThrow('createRng: seed');
    expect(() => createRng(1).at(-1)).toThrow('Rng.at: index');
    expect(() => restoreRng({ key: [1, 2] } as never)).toThrow('restoreRng: state');
    expect(() => restoreRng(null as never)).toThrow('restoreRng: state');
  });
});
