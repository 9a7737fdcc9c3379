import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromConfigText, toConfigText } from './config-text.js';

describe('toConfigText', () => {
  it('writes nothing that a change between camelCase and snake_case would touch', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = toConfigText(value);
        expect(text).not.toMatch(/[A-Z_]/);
        expect(fromConfigText(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { seed: 1, numRuns: 50 },
    );
  });
});
