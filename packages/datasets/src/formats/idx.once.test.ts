import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { expectOnlyFormatErrors, formatError } from '../testing/expect-format-errors.js';
import { parseIdx } from './idx.js';

const bytes = Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255);
const read = (data: Uint8Array): unknown => parseIdx(data, { file: 'my.file', maxBytes: 2 ** 16 });

describe('parseIdx', () => {
  it('reads sizes and bytes, plain and gzipped', () => {
    for (const file of [bytes, new Uint8Array(gzipSync(bytes))]) {
      expect(parseIdx(file)).toEqual({ shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 255) });
    }
  });

  it.each([
    [0x09, [255], Int8Array.of(-1)],
    [0x0b, [1, 2], Int16Array.of(258)],
    [0x0c, [255, 255, 255, 254], Int32Array.of(-2)],
    [0x0d, [0x3f, 0xc0, 0, 0], Float32Array.of(1.5)],
    [0x0e, [0xc0, 0, 0, 0, 0, 0, 0, 0], Float64Array.of(-2)],
  ])('reads big-endian type %i', (type, data, expected) => {
    expect(parseIdx(Uint8Array.of(0, 0, type, 1, 0, 0, 0, 1, ...data)).data).toEqual(expected);
  });

  it('accepts a gzip header with a name and ignores the offset of its buffer', () => {
    const packed = gzipSync(bytes);
    const named = Uint8Array.of(9, ...packed.subarray(0, 3), 8, ...packed.subarray(4, 10), 120, 0, ...packed.subarray(10));
    expect(parseIdx(named.subarray(1)).shape).toEqual([2, 3]);
  });

  it('says which rule a file breaks', () => {
    expect(formatError(read, Uint8Array.of(0x50, 0x4b, 3, 4))).toContain('begin with 00 00 and an IDX type');
    expect(formatError(read, Uint8Array.of(0, 0, 8, 0))).toContain('rank ≥ 1');
    expect(formatError(read, Uint8Array.of(...bytes, 0))).toBe(
      'parseIdx: my.file must have 18 bytes, as its sizes [2,3] say, got 19. The file is damaged or not what its name says; download it again.',
    );
    expect(() => parseIdx(bytes.buffer as never)).toThrow("parseIdx: bytes must be a Uint8Array, got 'ArrayBuffer'. Wrap it: new Uint8Array(buffer).");
    expect(() => parseIdx(bytes, { maxByte: 3 } as never)).toThrow("Did you mean 'maxBytes'?");
  });

  it('takes no memory for sizes that the file does not hold', () => {
    const huge = Uint8Array.of(0, 0, 0x0e, 3, ...new Array(12).fill(255));
    expect(formatError(read, huge)).toMatch(/have \d\.\d+e\+29 bytes/);
  });

  it('stops inflating what is larger than declared or allowed', () => {
    const bomb = new Uint8Array(gzipSync(new Uint8Array(2 ** 22)));
    expect(formatError(read, bomb)).toContain('inflate to at most 65536 bytes, got 4194304. Raise maxBytes');
    new DataView(bomb.buffer).setUint32(bomb.length - 4, 1000, true);
    expect(formatError(read, bomb)).toMatch(/inflate to the declared 1000 bytes, got at least \d+/);
    new DataView(bomb.buffer).setUint32(bomb.length - 4, 2 ** 31, true);
    expect(() => parseIdx(bomb, { maxBytes: 2 ** 32 })).toThrow(/declare at most 1032 times its \d+ compressed bytes, got 2147483648/);
  });

  it('survives fuzzing', () => {
    expectOnlyFormatErrors(read, bytes);
    expectOnlyFormatErrors(read, new Uint8Array(gzipSync(bytes)));
  });
});
