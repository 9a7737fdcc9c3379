import { describe, expect, it } from 'vitest';
import { isIncomplete } from './path.js';

const path = (...losses: number[]) => losses.map((loss) => ({ loss, adversarial: false, zeroShare: undefined }));

describe('isIncomplete', () => {
  it('is whether the best loss rose by over 5 % of the whole way in the last ten passes', () => {
    const rising = Array.from({ length: 20 }, (_, i) => i);
    expect(isIncomplete(path(...rising))).toBe(true);
    expect(isIncomplete(path(...rising, ...new Array<number>(9).fill(19)))).toBe(false);
    // The last ten are 19 (before), and then from 19 to 20: one of twenty is 5 %, and a little more is not.
    expect(isIncomplete(path(...rising, ...new Array<number>(8).fill(19), 20))).toBe(false);
    expect(isIncomplete(path(...rising, ...new Array<number>(8).fill(19), 20.1))).toBe(true);
  });

  it('looks at the best loss, not at one that swings, and finds nothing on a flat path', () => {
    expect(isIncomplete(path(0, 5, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2))).toBe(false);
    expect(isIncomplete(path(2, 2, 2))).toBe(false);
  });
});
