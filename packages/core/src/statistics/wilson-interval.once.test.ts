import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import '@moe/testing';
import { wilsonInterval } from './wilson-interval.js';

describe('wilsonInterval', () => {
  it('is the hand-worked interval for 8 of 10', () => {
    // z = 1.959964, z² = 3.841459: centre (0.8 + 0.19207) / 1.38415 = 0.71674,
    // half width sqrt(3.841459 · (0.016 + 0.0096036)) / 1.38415 = 0.22658.
    expect(wilsonInterval(8, 10)).toMatchObject({ low: expect.closeTo(0.49016, 4), high: expect.closeTo(0.94332, 4) });
  });

  it('uses the normal quantile of the confidence', () => {
    // At 0 of n the upper end is z² / (n + z²); quantiles 1.644854, 2.575829, 3.290527.
    for (const [confidence, z] of [[0.9, 1.644854], [0.99, 2.575829], [0.999, 3.290527]] as const) {
      const { low, high } = wilsonInterval(0, 50, confidence);
      expect([low, high]).toBeAllClose([0, z ** 2 / (50 + z ** 2)], { rtol: 1e-6, atol: 0 });
    }
  });

  it('has the limits published by Newcombe 1998 (Stat. Med. 17:857, table I)', () => {
    for (const [successes, n, low, high] of [[81, 263, 0.2553, 0.3662], [15, 148, 0.0624, 0.1605], [0, 20, 0, 0.1611], [1, 29, 0.0061, 0.1718]] as const) {
      const interval = wilsonInterval(successes, n);
      expect([interval.low, interval.high]).toBeAllClose([low, high], { rtol: 0, atol: 5e-5 });
    }
  });

  it('solves |p̂ − p| = z √(p(1 − p)/n) at both limits', () => {
    for (const [k, n] of [[1, 7], [125, 200], [1999, 2000]] as const) {
      const { low, high } = wilsonInterval(k, n);
      for (const p of [low, high]) expect((k / n - p) ** 2).toBeAllClose((1.959963984540054 ** 2 * p * (1 - p)) / n, { rtol: 1e-9, atol: 0 });
    }
  });

  it('holds the share, lies in [0, 1], mirrors, and narrows with more trials', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.nat(500), (n, k) => {
        const successes = k % (n + 1);
        const { low, high } = wilsonInterval(successes, n);
        expect(successes / n).toBeWithin(low, high);
        expect([low, high]).toBeWithin(0, 1);
        const mirrored = wilsonInterval(n - successes, n);
        expect([1 - mirrored.high, 1 - mirrored.low]).toBeAllClose([low, high]);
        const more = wilsonInterval(4 * successes, 4 * n);
        expect(more.high - more.low).toBeLessThan(high - low);
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  it('knows nothing without trials, and refuses what is no count', () => {
    expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 });
    expect(() => wilsonInterval(3, 2)).toThrow(/successes must be an integer in \[0, 2\]/);
    expect(() => wilsonInterval(1, 2, 1)).toThrow(/confidence must lie in \(0, 1\)/);
  });
});
