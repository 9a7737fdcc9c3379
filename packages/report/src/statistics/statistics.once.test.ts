import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareProportions } from './compare-proportions.js';
import { describeComparison } from './describe-comparison.js';
import { holm } from './holm.js';
import { mcnemar } from './mcnemar.js';

describe('compareProportions', () => {
  it('has the limits published by Newcombe 1998 (Stat. Med. 17:873, table II, method 10)', () => {
    for (const [a, m, b, n, low, high] of [[56, 70, 48, 80, 0.0524, 0.3339], [9, 10, 3, 10, 0.1705, 0.809], [10, 10, 0, 10, 0.6075, 1], [0, 10, 0, 20, -0.1611, 0.2775]] as const) {
      const { interval } = compareProportions({ successes: a, n: m }, { successes: b, n });
      expect(interval.low).toBeCloseTo(low, 4);
      expect(interval.high).toBeCloseTo(high, 4);
    }
  });

  it("has the exact p-value of Fisher's lady tasting tea, 34/70, and of exact fractions", () => {
    expect(compareProportions({ successes: 3, n: 4 }, { successes: 1, n: 4 }).pValue).toBeCloseTo(34 / 70, 12);
    // sum of fractions.Fraction(comb(m,k) * comb(n,t-k), comb(m+n,t)) in Python
    expect(compareProportions({ successes: 105, n: 200 }, { successes: 90, n: 200 }).pValue).toBeCloseTo(0.16129958930154104, 10);
    expect(compareProportions({ successes: 56, n: 70 }, { successes: 48, n: 80 })).toMatchObject({ significant: true });
    expect(compareProportions({ successes: 56, n: 70 }, { successes: 48, n: 80 }, 0.99)).toMatchObject({ significant: false });
    expect(compareProportions({ successes: 0, n: 10 }, { successes: 0, n: 20 }).pValue).toBe(1);
  });

  it('is antisymmetric', () => {
    const count = fc.integer({ min: 1, max: 300 }).chain((n) => fc.record({ n: fc.constant(n), successes: fc.integer({ min: 0, max: n }) }));
    fc.assert(
      fc.property(count, count, (a, b) => {
        const [forth, back] = [compareProportions(a, b), compareProportions(b, a)];
        expect(forth.interval.low).toBeCloseTo(-back.interval.high, 12);
        expect(forth.pValue).toBeCloseTo(back.pValue, 9);
        expect(forth.interval.low).toBeLessThanOrEqual(forth.difference);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it('names what is wrong', () => {
    expect(() => compareProportions({ successes: 1, n: 2 }, { successes: 1.5, n: 2 })).toThrow('compareProportions: b.successes must be an integer in [0, 2], got 1.5.');
    const misspelt = { successes: 1, n: 2, total: 2 };
    expect(() => compareProportions(misspelt, { successes: 1, n: 2 })).toThrow("compareProportions: a: unknown option 'total'");
  });
});

describe('mcnemar', () => {
  it('is twice the binomial tail', () => {
    expect(mcnemar(1, 9)).toBeCloseTo(22 / 1024, 12); // 2 · (C(10,0) + C(10,1)) / 2¹⁰
    expect(mcnemar(9, 1)).toBeCloseTo(22 / 1024, 12);
    expect(mcnemar(0, 5)).toBeCloseTo(2 / 32, 12);
    expect(mcnemar(100, 140)).toBeCloseTo(0.011664092317677663, 10); // exact fractions in Python
  });

  it('is 1 where nothing speaks for a difference', () => {
    expect(mcnemar(0, 0)).toBe(1);
    expect(mcnemar(5, 5)).toBe(1);
    expect(mcnemar(5, 6)).toBeCloseTo(1, 12);
  });

  it('refuses counts that are none', () => {
    expect(() => mcnemar(-1, 2)).toThrow('mcnemar: onlyA must be an integer ≥ 0, got -1.');
    expect(() => mcnemar(1, 0.5)).toThrow('onlyB');
  });
});

describe('holm', () => {
  it('multiplies by the number of hypotheses left and never decreases', () => {
    // sorted .01 · 3 = .03, .03 · 2 = .06, .04 · 1 = .04 → .06
    expect(holm([0.01, 0.04, 0.03])).toEqual([expect.closeTo(0.03, 12), expect.closeTo(0.06, 12), expect.closeTo(0.06, 12)]);
    expect(holm([0.6, 0.7])).toEqual([1, 1]);
    expect(holm([])).toEqual([]);
  });

  it('refuses what is no probability', () => {
    expect(() => holm([0.1, Number.NaN])).toThrow('holm: pValues[1] must be a finite number in [0, 1], got NaN.');
  });
});

describe('describeComparison', () => {
  const sides = { a: { name: 'Expert 2', value: 0.525 }, b: { name: 'the gated model', value: 0.45 }, measure: 'PGD-20 accuracy' };

  it('says which is higher, by how much and how surely', () => {
    expect(describeComparison({ ...sides, pValue: 0.0182 })).toBe('Expert 2 has a higher PGD-20 accuracy than the gated model: 52.5 % against 45.0 %, 7.5 points more (p = 0.018).');
    expect(describeComparison({ ...sides, a: { name: 'Expert 1', value: 0.2 }, pValue: 1e-9 })).toContain('Expert 1 has a lower PGD-20 accuracy than the gated model: 20.0 % against 45.0 %, 25.0 points less (p < 0.001).');
  });

  it('claims nothing above the level', () => {
    expect(describeComparison({ ...sides, pValue: 0.051 })).toBe('No significant difference in PGD-20 accuracy between Expert 2 (52.5 %) and the gated model (45.0 %), p = 0.051.');
    expect(describeComparison({ ...sides, pValue: 0.018, level: 0.01 })).toContain('No significant difference');
  });
});
