import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clopperPearsonLower } from './clopper-pearson.js';
import { normalQuantile } from './normal.js';

describe('clopperPearsonLower', () => {
  it('is alpha^(1/n) if all succeed, 0 if none do, and 1 − (1 − alpha)^(1/n) for one', () => {
    // The number of the specification: 0.001^(1/100).
    expect(clopperPearsonLower(100, 100, 0.001)).toBeCloseTo(0.93325430079, 9);
    expect(clopperPearsonLower(100, 100, 0.001)).toBeLessThanOrEqual(0.001 ** 0.01);
    expect(clopperPearsonLower(100_000, 100_000, 0.001)).toBeCloseTo(0.001 ** 1e-5, 12);
    expect(clopperPearsonLower(0, 100, 0.001)).toBe(0);
    expect(clopperPearsonLower(1, 50, 0.05)).toBeCloseTo(1 - 0.95 ** (1 / 50), 9);
  });

  it('has the published limits of 95 % two-sided intervals (Newcombe 1998, Stat. Med. 17:857, table I)', () => {
    for (const [k, n, low] of [[81, 263, 0.2527], [15, 148, 0.0578], [1, 29, 0.0009]] as const) expect(clopperPearsonLower(k, n, 0.025)).toBeCloseTo(low, 4);
  });

  it('is the chance at which k or more of n come with probability alpha, just below it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(60), fc.constantFrom(0.001, 0.05, 0.5), (n, raw, alpha) => {
        const k = 1 + (raw % n);
        const p = clopperPearsonLower(k, n, alpha);
        // The tail by the recursion over trials, which shares nothing with the implementation.
        let chances = [1];
        for (let trial = 0; trial < n; trial++) chances = Array.from({ length: chances.length + 1 }, (_, j) => (chances[j] ?? 0) * (1 - p) + (chances[j - 1] ?? 0) * p);
        const tail = chances.slice(k).reduce((sum, chance) => sum + chance, 0);
        expect(tail / alpha).toBeCloseTo(1, 7);
        expect(tail).toBeLessThanOrEqual(alpha);
      }),
      { seed: 10, numRuns: 50 },
    );
  });

  it('refuses what is no count or no chance', () => {
    expect(() => clopperPearsonLower(3, 2, 0.05)).toThrow('successes must be an integer in [0, 2]');
    expect(() => clopperPearsonLower(1, 2, 0)).toThrow('alpha must lie in (0, 0.5]');
  });
});

describe('normalQuantile', () => {
  it('has the tabulated values, far tails included', () => {
    for (const [p, z] of [[0.75, 0.674489750196082], [0.95, 1.644853626951473], [0.975, 1.959963984540054], [0.999, 3.090232306167813], [1 - 1e-9, 5.997807015008182], [0.9999999, 5.199337582187471]] as const) {
      // 1 − 1e-9 is a double that is off by up to 5e-17, which its tail magnifies to 5e-8.
      expect(Math.abs(normalQuantile(p) / z - 1)).toBeLessThan(p > 0.9999999 ? 1e-8 : 1e-10);
    }
    expect(normalQuantile(0.5 + 1e-9)).toBeCloseTo(1e-9 * Math.sqrt(2 * Math.PI), 15);
  });

  it('rises without a step where its two formulas meet, at z = 3', () => {
    const at = 0.9986501019683699;
    expect(normalQuantile(at)).toBeCloseTo(3, 10);
    for (let i = -50; i < 50; i++) expect(normalQuantile(at + (i + 1) * 1e-12)).toBeGreaterThan(normalQuantile(at + i * 1e-12));
  });
});
