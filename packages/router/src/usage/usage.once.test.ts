import { describe, expect, it } from 'vitest';
import { classByExpert, expertUsage } from './usage.js';

describe('expertUsage', () => {
  it('is the hand-worked statistics of two choices per row', () => {
    // Three rows, three experts: pairs 3, 2, 1 of 6; importance (2.2, .7, .1) / 3.
    const usage = expertUsage([0.9, 0.1, 0, 0.4, 0.6, 0, 0.9, 0, 0.1], 3);
    expect(Array.from(usage.share)).toEqual([3 / 6, 2 / 6, 1 / 6]);
    expect(Array.from(usage.importance, (x) => Number(x.toFixed(6)))).toEqual([0.733333, 0.233333, 0.033333]);
    expect(usage.entropy).toBeCloseTo(-(0.5 * Math.log(0.5) + (1 / 3) * Math.log(1 / 3) + (1 / 6) * Math.log(1 / 6)), 12);
    // Mean 1/3; population variance ((.4)² + (-.1)² + (-.3)²) / 3 = .0866667; √ / mean = .883176.
    expect(usage.coefficientOfVariation).toBeCloseTo(0.883176, 6);
    expect(usage.livingExperts).toBe(3);
  });

  it('tells collapse from even use', () => {
    const collapsed = expertUsage([0, 1, 0, 0, 0, 1, 0, 0], 4);
    expect(collapsed).toMatchObject({ entropy: 0, livingExperts: 1 });
    // One expert has importance 1, three have 0: std √(3/16), mean 1/4.
    expect(collapsed.coefficientOfVariation).toBeCloseTo(Math.sqrt(3), 12);
    const even = expertUsage([1, 0, 0, 1], 2);
    expect(even).toMatchObject({ coefficientOfVariation: 0, livingExperts: 2 });
    expect(even.entropy).toBeCloseTo(Math.LN2, 12);
  });

  it('refuses half a row, or none', () => {
    expect(() => expertUsage([1, 0, 1], 2)).toThrow("expertUsage: combineWeights must have rows of 2 entries, at least one, got '3 entries'.");
    expect(() => expertUsage([], 2)).toThrow('expertUsage: combineWeights must');
  });
});

describe('classByExpert', () => {
  it('averages the weights of each class, and leaves absent classes at zero', () => {
    const matrix = classByExpert([1, 0, 0, 1, 0.5, 0.5], [0, 0, 2], { numExperts: 2, numClasses: 3 });
    expect(Array.from(matrix)).toEqual([0.5, 0.5, 0, 0, 0.5, 0.5]);
  });

  it('refuses labels that are no class', () => {
    expect(() => classByExpert([1, 0], [3], { numExperts: 2, numClasses: 3 })).toThrow('classByExpert: labels[0] must be an integer in [0, 2], got 3.');
    expect(() => classByExpert([1, 0], [1, 2], { numExperts: 2, numClasses: 3 })).toThrow('classByExpert: labels must have one entry per row, 1, got 2.');
  });
});
