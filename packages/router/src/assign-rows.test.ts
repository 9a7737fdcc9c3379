import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignRows } from './assign-rows.js';

describe('assignRows', () => {
  it('groups by expert and keeps the order of rows', () => {
    const { tokenOfSlot, expertOffsets, numTokens } = assignRows([2, 0, 0, 2, 0, 1], 2, 4);
    // Row 0 → {2,0}, row 1 → {0,2}, row 2 → {0,1}; nobody chose expert 3.
    expect(Array.from(tokenOfSlot)).toEqual([0, 1, 2, 2, 0, 1]);
    expect(Array.from(expertOffsets)).toEqual([0, 3, 4, 6, 6]);
    expect(numTokens).toBe(3);
  });

  it('leaves dropped choices out', () => {
    expect(Array.from(assignRows([1, -1, -1, 0], 1, 2).tokenOfSlot)).toEqual([3, 0]);
  });

  it('places every kept choice exactly once, in row order within an expert', () => {
    const cases = fc.integer({ min: 1, max: 5 }).chain((E) => fc.record({ E: fc.constant(E), choices: fc.array(fc.integer({ min: -1, max: E - 1 }), { maxLength: 30 }) }));
    fc.assert(
      fc.property(cases, ({ E, choices }) => {
        const { tokenOfSlot, expertOffsets } = assignRows(choices, 1, E);
        for (let expert = 0; expert < E; expert++) {
          const rows = choices.flatMap((choice, row) => (choice === expert ? [row] : []));
          expect(Array.from(tokenOfSlot.slice(expertOffsets[expert], expertOffsets[expert + 1]))).toEqual(rows);
        }
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it('refuses experts that do not exist or come twice', () => {
    expect(() => assignRows([0, 3], 1, 3)).toThrow('assignRows: choices[1] must be an integer in [-1, 2], got 3.');
    expect(() => assignRows([0, 1, 1, 1], 2, 3)).toThrow('assignRows: row 1 must name each expert once, got 1.');
    expect(() => assignRows([0, 1, 1], 2, 3)).toThrow('assignRows: choices must have a multiple of 2 entries, got 3.');
  });
});
