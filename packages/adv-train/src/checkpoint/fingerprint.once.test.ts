import { describe, expect, it } from 'vitest';
import { firstDifference } from './fingerprint.js';

describe('firstDifference', () => {
  it('finds nothing between equal values, whatever the order of keys', () => {
    expect(firstDifference({ a: [1, { b: null }], c: 'x' }, { c: 'x', a: [1, { b: null }] })).toBeUndefined();
  });

  it.each([
    [{ a: { b: [1, 2] } }, { a: { b: [1, 3] } }, 'a.b.1 is 2 in the checkpoint and 3 now'],
    [{}, { a: 'x' }, 'a is nothing in the checkpoint and "x" now'],
    [{ a: 1 }, {}, 'a is 1 in the checkpoint and nothing now'],
    [{ a: [] }, { a: {} }, 'a is [] in the checkpoint and {} now'],
    [{ a: null }, { a: { b: 1 } }, 'a is null in the checkpoint and {"b":1} now'],
  ])('names the first difference of %j and %j', (stored, current, message) => {
    expect(firstDifference(stored, current)).toBe(message);
  });
});
