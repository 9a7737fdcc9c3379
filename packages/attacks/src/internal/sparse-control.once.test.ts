import { describe, expect, it } from 'vitest';
import { createSparseControl } from './sparse-control.js';

describe('createSparseControl', () => {
  /** Step sizes and counts after each of some steps, given how many coordinates the best point changes. */
  const course = (variant: 'paper' | 'autoattack', changed: readonly number[], start?: number): string[] => {
    const control = createSparseControl({ variant, eps: 9, steps: 50, size: 100, ...(start !== undefined && { changed: start }) });
    return changed.map((count, step) => {
      const verdict = control.observe(step, () => count);
      return `${verdict === 'go-on' ? '' : 'back '}${Number(control.stepSize().toFixed(4))} ${control.count()}`;
    });
  };

  it('starts with a fifth of the coordinates, then takes two thirds of those that the best point changes', () => {
    // 50 steps: a checkpoint every 2. 40 of 100 is sparser; 39 of 40 is not: 9 / 1.5 = 6.
    expect(course('paper', [80, 80, 40, 40, 39])).toEqual(['9 20', '9 20', 'back 9 26', '9 26', '6 26']);
  });

  it('goes on from the sparsity of an earlier stage', () => {
    expect(course('paper', [30, 30, 30], 30)).toEqual(['9 20', '9 20', '6 20']);
  });

  it('shortens no further than to a tenth', () => {
    expect(course('paper', Array<number>(20).fill(30), 30).at(-1)).toBe('0.9 20');
  });

  it('may go down to one coordinate, which the released code cannot', () => {
    expect(course('paper', [2, 2, 2], 2).at(-1)).toBe('6 1');
    expect(course('autoattack', [2, 2, 2], 2).at(-1)).toBe('6 2');
    expect(course('paper', [0, 0, 0], 0).at(-1)).toBe('6 1');
  });
});
