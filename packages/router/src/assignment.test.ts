import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignmentOf } from './assignment.js';

describe('assignmentOf', () => {
  it('groups rows by expert, in row order', () => {
    // Row 0 goes to experts 1 and 2, row 1 to none, row 2 to expert 1.
    const { numTokens, numExperts, tokenOfSlot, expertOffsets } = assignmentOf([0, 1, 1, 0, 0, 0, 0, 1, 0], 3);
    expect([numTokens, numExperts]).toEqual([3, 3]);
    expect(Array.from(tokenOfSlot)).toEqual([0, 2, 0]);
    expect(Array.from(expertOffsets)).toEqual([0, 0, 2, 3]);
  });

  it('takes weights as they are: whatever is not 0 runs', () => {
    expect(Array.from(assignmentOf([0.25, 0, 0, 1e-30], 2).tokenOfSlot)).toEqual([0, 1]);
  });

  it('places every choice exactly once', () => {
    const cases = fc.integer({ min: 1, max: 5 }).chain((E) => fc.record({ E: fc.constant(E), rows: fc.array(fc.array(fc.boolean(), { minLength: E, maxLength: E }), { maxLength: 20 }) }));
    fc.assert(
      fc.property(cases, ({ E, rows }) => {
        const { tokenOfSlot, expertOffsets } = assignmentOf(rows.flat().map(Number), E);
        for (let expert = 0; expert < E; expert++) {
          const expected = rows.flatMap((row, token) => (row[expert] ? [token] : []));
          expect(Array.from(tokenOfSlot.slice(expertOffsets[expert], expertOffsets[expert + 1]))).toEqual(expected);
        }
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it('refuses half a row', () => {
    expect(() => assignmentOf([1, 0, 1], 2)).toThrow('assignmentOf: chosen must have a multiple of 2 entries, got 3.');
  });
});
