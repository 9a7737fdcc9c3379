import { describe, expect, it } from 'vitest';
import { coActivation } from './co-activation.js';
import { expectedIou, routingChange } from './routing-change.js';

const weights = (sets: readonly (readonly number[])[]): number[] => sets.flatMap((set) => [0, 1, 2, 3].map((expert) => (set.includes(expert) ? 1 / set.length : 0)));

describe('routingChange', () => {
  const clean = weights([[0, 1], [1, 2], [3, 0], [0, 1], [2, 3], []]);
  const attacked = weights([[0, 1], [0, 2], [1, 2], [0], [2, 3], []]);

  it('has the golden value of the source, which counts a token without experts as changed', () => {
    const { iou, change, setFlips } = routingChange(clean, attacked, { numExperts: 4, rowsPerExample: 3, emptyUnion: 0 });
    // IoU [1, 1/3, 0] and [.5, 1, 0].
    expect(2 * iou).toBeCloseTo(0.944444, 6);
    expect(change).toBeCloseTo(0.527778, 6);
    expect(setFlips).toBe(3 / 6);
  });

  it('leaves such a token out unless told otherwise', () => {
    expect(routingChange(clean, attacked, { numExperts: 4, rowsPerExample: 3 }).iou).toBeCloseTo(((1 + 1 / 3) / 3 + 0.75) / 2, 12);
    expect(routingChange(clean, attacked, { numExperts: 4, rowsPerExample: 3, emptyUnion: 1 }).iou).toBeCloseTo(((1 + 1 / 3) / 3 + 2.5 / 3) / 2, 12);
  });

  it('is 1 for the same sets, 0 for disjoint ones, 1/3 for one of two shared', () => {
    expect(routingChange([0.9, 0.1, 0], [0.2, 0.8, 0], { numExperts: 3 })).toEqual({ iou: 1, change: 0, firstChoiceFlips: 1, setFlips: 0 });
    expect(routingChange([1, 0], [0, 1], { numExperts: 2 }).iou).toBe(0);
    expect(routingChange([0.6, 0.4, 0], [0, 0.7, 0.3], { numExperts: 3 }).iou).toBeCloseTo(1 / 3, 12);
  });

  it('names what disagrees', () => {
    expect(() => routingChange([1, 0], [1], { numExperts: 2 })).toThrow('routingChange: after must have the 2 entries of before, got 1.');
    expect(() => routingChange([1, 0, 1], [1, 0, 1], { numExperts: 2 })).toThrow('routingChange: before must have examples of 1 rows of 2 entries');
  });
});

describe('expectedIou', () => {
  it('is the mean over all pairs of sets', () => {
    expect(expectedIou(1, 4)).toBeCloseTo(0.25, 12);
    expect(expectedIou(4, 4)).toBe(1);
    const sets = [0, 1, 2, 3, 4].flatMap((a) => [0, 1, 2, 3, 4].filter((b) => b > a).map((b) => [a, b]));
    const overlaps = sets.flatMap((x) => sets.map((y) => {
      const both = x.filter((e) => y.includes(e)).length;
      return both / (4 - both);
    }));
    expect(expectedIou(2, 5)).toBeCloseTo(overlaps.reduce((a, b) => a + b) / overlaps.length, 12);
  });
});

describe('coActivation', () => {
  it('counts pairs, and single experts on its diagonal', () => {
    expect(Array.from(coActivation(weights([[0, 1], [0, 1], [2], [0, 3]]), 4))).toEqual([0.75, 0.5, 0, 0.25, 0.5, 0.5, 0, 0, 0, 0, 0.25, 0, 0.25, 0, 0, 0.25]);
    expect(() => coActivation([], 2)).toThrow('coActivation: combineWeights must have rows of 2 entries, at least one');
  });
});
