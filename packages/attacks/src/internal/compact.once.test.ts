import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compactRows } from './compact.js';

describe('compactRows', () => {
  it('shrinks to the next known size, filled up with finished rows', () => {
    const rows = Array.from({ length: 20 }, (_, row) => row);
    expect(compactRows(rows, (row) => row >= 7)).toEqual([7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 0, 1, 2]);
    expect(compactRows(rows, (row) => row !== 3)).toBe(rows);
    expect(compactRows(rows, () => false)).toEqual([]);
  });

  it('keeps every active row, adds no row, and never grows', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(300), { maxLength: 200 }), fc.nat(), (rows, salt) => {
        const active = (row: number): boolean => (row * 7 + salt) % 3 === 0;
        const left = compactRows(rows, active);
        expect(rows.filter(active).every((row) => left.includes(row))).toBe(true);
        expect(left.every((row) => rows.includes(row)) && new Set(left).size === left.length && left.length <= rows.length).toBe(true);
      }),
      { numRuns: 50, seed: 1 },
    );
  });
});
