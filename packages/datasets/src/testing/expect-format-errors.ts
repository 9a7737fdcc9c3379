import { isMoeError } from '@moe/core';
import fc from 'fast-check';
import { expect } from 'vitest';

type Read = (bytes: Uint8Array) => unknown;

/** What a reader throws, checked to be a DataFormatError that names the file; `undefined` if it throws nothing. */
export function formatError(read: Read, bytes: Uint8Array): string | undefined {
  try {
    read(bytes);
    return undefined;
  } catch (error) {
    if (!isMoeError(error, 'DATA_FORMAT')) throw error;
    expect(error.message).toMatch(/^\w+: my\.file.* must .*, got [^]*\. /);
    return error.message;
  }
}

/**
 * Checks that a reader refuses every proper prefix of a good file, and throws nothing but DataFormatError after any few bytes were changed.
 *
 * @param read - passes `file: 'my.file'` on.
 */
export function expectOnlyFormatErrors(read: Read, good: Uint8Array, runs = 300): void {
  expect(formatError(read, good)).toBeUndefined();
  for (let length = 0; length < good.length; length++) {
    expect(formatError(read, good.slice(0, length)), `a prefix of ${length} bytes`).toBeDefined();
  }
  const change = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const bytes = good.slice();
      for (const [at, mask] of changes) bytes[at]! ^= mask;
      formatError(read, bytes);
    }),
    { numRuns: runs, seed: 1 },
  );
}
