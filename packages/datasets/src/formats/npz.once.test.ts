import { strToU8, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { expectOnlyFormatErrors, formatError } from '../testing/expect-format-errors.js';
import { parseNpz } from './npz.js';

/** An npy file of version 1 as NumPy writes it: `np.save`, header padded to a multiple of 64. */
function npy(descr: string, shape: string, data: Uint8Array, { fortran = 'False', version = 1 } = {}): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
  const start = version === 1 ? 10 : 12;
  const header = `${text.padEnd(Math.ceil((text.length + start + 1) / 64) * 64 - start - 1)}\n`;
  const size = version === 1 ? [header.length & 255, header.length >> 8] : [header.length & 255, header.length >> 8, 0, 0];
  return Uint8Array.of(0x93, ...strToU8('NUMPY'), version, 0, ...size, ...strToU8(header), ...data);
}
const bytesOf = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const zip = (entries: Record<string, Uint8Array>, level: 0 | 9 = 9): Uint8Array => zipSync(entries, { level });
const read = (data: Uint8Array): unknown => parseNpz(data, { file: 'my.file', maxBytes: 2 ** 16 });
const one = (content: Uint8Array): string | undefined => formatError(read, zip({ 'a.npy': content }));
const small = npy('<i4', '(2,)', bytesOf(Int32Array.of(7, -1)));

describe('parseNpz', () => {
  it.each([
    ['|u1', '(2, 1)', Uint8Array.of(1, 255), [1, 255]],
    ['|i1', '(2, 1)', Int8Array.of(1, -1), [1, -1]],
    ['|b1', '(2, 1)', Uint8Array.of(0, 1), [0, 1]],
    ['<i4', '(2, 1)', Int32Array.of(7, -7), [7, -7]],
    ['<i8', '(2, 1)', BigInt64Array.of(7n, -(2n ** 40n)), [7, -(2 ** 40)]],
    ['<f4', '(2, 1)', Float32Array.of(0.5, -2), [0.5, -2]],
    ['<f8', '(2, 1)', Float64Array.of(0.1, 1e300), [0.1, 1e300]],
  ])('reads %s', (descr, shape, data, expected) => {
    const file = zip({ 'x.npy': npy(descr, shape, bytesOf(data)) });
    const { shape: actualShape, data: actual } = parseNpz(file).get('x')!;
    expect(actualShape).toEqual([2, 1]);
    expect(Array.from(actual)).toEqual(expected);
  });

  it('reads scalars, empty arrays, versions 2 and 3, stored and deflated entries, under their names', () => {
    const entries = {
      'a/b.npy': npy('<f4', '()', bytesOf(Float32Array.of(3))),
      'empty.npy': npy('<f8', '(0, 3)', new Uint8Array(0)),
      'v2.npy': npy('|u1', '(1,)', Uint8Array.of(5), { version: 2 }),
      '__proto__.npy': npy('|u1', '(1,)', Uint8Array.of(6), { version: 3 }),
    };
    for (const level of [0, 9] as const) {
      const arrays = parseNpz(zip(entries, level));
      expect(arrays.get('a/b')).toMatchObject({ shape: [], data: Float32Array.of(3) });
      expect(arrays.get('empty')).toMatchObject({ shape: [0, 3], data: new Float64Array(0) });
      expect(arrays.get('v2')!.data[0]).toBe(5);
      expect(arrays.get('__proto__')!.data[0]).toBe(6);
    }
  });

  it('says which rule an array breaks, and how to mend it', () => {
    expect(one(npy('>f4', '(1,)', new Uint8Array(4)))).toBe(
      "parseNpz: my.file, entry 'a.npy', must hold u1, i1, i4, i8, f4, f8 or bool, little-endian, in C order, got >f4. Convert it: np.ascontiguousarray(a, dtype='<f4').",
    );
    expect(one(npy('<f4', '(1,)', new Uint8Array(4), { fortran: 'True' }))).toContain('got <f4 in Fortran order');
    expect(one(npy('|O', '(1,)', new Uint8Array(4)))).toContain('got |O.');
    expect(one(npy('<f4', '(2,)', new Uint8Array(4)))).toContain('have 8 bytes of data for shape (2), got 4');
    expect(one(npy('<i8', '(1,)', bytesOf(BigInt64Array.of(2n ** 60n))))).toContain('hold integers below 2^53');
    expect(one(npy('<f8', '(999999999999999, 999999999999999)', new Uint8Array(8)))).toMatch(/have \d.*e\+30 bytes/);
    expect(one(npy('<f4', `(${'1'.repeat(5000)},)`, new Uint8Array(4)))).toContain('of plain numbers');
    expect(one(strToU8('hello, this is text'))).toContain('begin as an npy file');
    expect(one(Uint8Array.of(...small.subarray(0, 8), 255, 255, ...small.subarray(10)))).toContain('header of at most 10000 bytes');
  });

  it.each(['../a.npy', '/a.npy', 'a/../../b.npy', '..\\a.npy', 'C:a.npy'])('refuses the name %s', (name) => {
    expect(formatError(read, zip({ [name]: small }))).toContain('have a relative name');
  });

  it('stops zip bombs at their declared size, their ratio and their real size', () => {
    const bomb = zip({ 'a.npy': new Uint8Array(2 ** 22) });
    const declare = (size: number): Uint8Array => {
      const copy = bomb.slice();
      const view = new DataView(copy.buffer);
      view.setUint32(view.getUint32(copy.length - 6, true) + 24, size, true);
      return copy;
    };
    expect(formatError(read, bomb)).toContain('inflate to at most 65536 bytes, got 4194304. Raise maxBytes');
    expect(formatError(read, declare(1000))).toMatch(/inflate to the declared 1000 bytes, got at least/);
    expect(() => parseNpz(declare(2 ** 31), { maxBytes: 2 ** 32 })).toThrow(/declare at most 1032 times/);
  });

  it('counts all entries together against the limit, and refuses one name twice', () => {
    const half = npy('|u1', '(40000,)', new Uint8Array(40_000));
    expect(formatError(read, zip({ 'a.npy': half, 'b.npy': half }))).toContain('inflate to at most 65536 bytes');
    const twice = zip({ 'a.npy': small, 'b.npy': small }).map((byte) => (byte === 'b'.charCodeAt(0) ? 'a'.charCodeAt(0) : byte));
    expect(formatError(read, twice)).toContain('occur once');
  });

  it('refuses encrypted entries and other methods', () => {
    const file = zip({ 'a.npy': small });
    const at = new DataView(file.buffer).getUint32(file.length - 6, true);
    expect(formatError(read, file.map((byte, i) => (i === at + 8 ? 1 : byte)))).toContain('got an encrypted one');
    expect(formatError(read, file.map((byte, i) => (i === at + 10 ? 99 : byte)))).toContain('got method 99');
  });

  it('refuses an entry that lies outside the file', () => {
    const file = zip({ 'a.npy': small });
    const at = new DataView(file.buffer).getUint32(file.length - 6, true);
    for (const field of [20, 42]) {
      const moved = file.slice();
      new DataView(moved.buffer).setUint32(at + field, 0x7fffffff, true);
      expect(formatError(read, moved)).toContain(`lie within the ${file.length} bytes of the file`);
    }
  });

  it('notices a changed byte or checksum', () => {
    const deflated = zip({ 'a.npy': small });
    const crcAt = new DataView(deflated.buffer).getUint32(deflated.length - 6, true) + 16;
    expect(formatError(read, deflated.map((byte, i) => (i === crcAt ? byte ^ 1 : byte)))).toContain('have the declared CRC-32');
    const stored = zip({ 'a.npy': small }, 0);
    const at = stored.lastIndexOf(7, stored.length - 70);
    expect(formatError(read, stored.map((byte, i) => (i === at ? 8 : byte)))).toContain('CRC-32');
  });

  it('survives fuzzing', () => {
    expectOnlyFormatErrors(read, zip({ 'a.npy': small, 'b.npy': npy('|u1', '(300,)', new Uint8Array(300).map((_, i) => i * 7)) }), 1000);
    expectOnlyFormatErrors(read, zip({ 'a.npy': small }, 0), 1000);
  });
});
