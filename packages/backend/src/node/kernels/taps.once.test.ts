import { describe, expect, it } from 'vitest';
import { tapPlan } from './taps.js';
import type { Axis } from './window.js';

const axis = (size: number, taps: number): Axis => ({ size, taps, dilation: 1, stride: 1, before: (taps - 1) / 2, after: (taps - 1) / 2, out: size });
const ROW: readonly [Axis, Axis] = [axis(1, 1), axis(3, 3)];

describe('tapPlan', () => {
  it('has one product for each tap of three over a row of three pixels, in two images', () => {
    const { runs, widths, sources, targets, ordered } = tapPlan(2, ROW, 'forwards', false);
    expect(runs.map(({ row, column, taps }) => [row, column, taps])).toEqual([[0, 0, 1], [0, 1, 1], [0, 2, 1]]);
    expect(widths).toEqual([{ taps: 1, counts: [4, 6, 4] }]);
    expect([...sources]).toEqual([0, 1, 3, 4, 0, 1, 2, 3, 4, 5, 1, 2, 4, 5]);
    expect([...targets]).toEqual([1, 2, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 3, 4]);
    expect([...ordered.rows]).toEqual([4, 10, 0, 5, 11, 1, 6, 7, 12, 2, 8, 13, 3, 9]);
    expect([...ordered.targets]).toEqual([0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5]);
  });

  it('joins taps side by side that meet the same pixels, by their number', () => {
    const { runs, widths, sources, targets } = tapPlan(1, ROW, 'forwards', true);
    expect(runs.map(({ column, taps }) => [column, taps])).toEqual([[1, 2], [0, 2], [0, 3]]);
    expect(widths).toEqual([{ taps: 2, counts: [1, 1] }, { taps: 3, counts: [1] }]);
    expect([...sources]).toEqual([0, 1, 1, 2, 0, 1, 2]);
    expect([...targets]).toEqual([0, 2, 1]);
  });

  it('runs backwards from the result to the input', () => {
    const strided: Axis = { size: 4, taps: 3, dilation: 1, stride: 2, before: 0, after: 1, out: 2 };
    const { widths, sources, targets } = tapPlan(1, [axis(1, 1), strided], 'backwards', false);
    expect(widths).toEqual([{ taps: 1, counts: [2, 2, 1] }]);
    expect([...sources]).toEqual([0, 1, 0, 1, 0]);
    expect([...targets]).toEqual([0, 2, 1, 3, 2]);
  });

  it('makes a plan once, and forgets those not asked for in a long time', () => {
    const first = tapPlan(7, ROW, 'forwards', false);
    expect(tapPlan(7, ROW, 'forwards', false)).toBe(first);
    for (let batch = 100; batch < 170; batch++) tapPlan(batch, ROW, 'forwards', false);
    const again = tapPlan(7, ROW, 'forwards', false);
    expect(again).not.toBe(first);
    expect(again).toEqual(first);
  });
});
