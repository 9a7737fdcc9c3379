import { isMoeError } from '@moe/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type TensorFile, decodeTensors, encodeTensors } from './tensor-file.js';

const file: TensorFile = {
  tensors: [
    { name: 'a/kernel', shape: [2, 3], data: Float32Array.of(1, -2, 3.5, NaN, Infinity, -0) },
    { name: '7', shape: [], data: Int32Array.of(-5) },
    { name: 'empty "ü"', shape: [0, 4], data: new Float32Array(0) },
    { name: '__proto__', shape: [1], data: Float32Array.of(9) },
  ],
  metadata: { format: 'test', note: 'quotes " and { braces : \\' },
};

/** A file with any header and some zero bytes of data. */
function withHeader(header: string, dataBytes = 0, length = new TextEncoder().encode(header).length): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

/** Decodes, or says which error came out; anything but a CheckpointError is a bug. */
function outcome(bytes: Uint8Array): TensorFile | 'refused' {
  try {
    return decodeTensors(bytes);
  } catch (error) {
    if (!isMoeError(error, 'CHECKPOINT')) throw error;
    return 'refused';
  }
}

const entry = (from: number, to: number, shape = [(to - from) / 4], dtype = 'F32'): string => JSON.stringify({ dtype, shape, data_offsets: [from, to] });

describe('encodeTensors', () => {
  it('is read back as it was, in order', () => {
    expect(decodeTensors(encodeTensors(file))).toEqual(file);
  });

  it('is read from a Buffer at an odd place of its memory, into arrays of their own', () => {
    const bytes = encodeTensors(file);
    const memory = Buffer.alloc(bytes.length + 3, 1);
    memory.set(bytes, 3);
    const decoded = decodeTensors(memory.subarray(3));
    memory.fill(0);
    expect(decoded).toEqual(file);
  });

  it('is a safetensors file: length, JSON, little-endian values', () => {
    const bytes = encodeTensors({ tensors: [{ name: 'w', shape: [1], data: Float32Array.of(1) }], metadata: {} });
    const json = '{"__metadata__":{},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
    expect(bytes[0]).toBe(72); // 72 characters, a multiple of eight already
    expect(new TextDecoder().decode(bytes.subarray(8, 80))).toBe(json);
    expect([...bytes.subarray(80)]).toEqual([0, 0, 0x80, 0x3f]);
  });

  it('refuses names taken twice and data of another size', () => {
    const w = { name: 'w', shape: [1], data: Float32Array.of(1) };
    expect(() => encodeTensors({ tensors: [w, w], metadata: {} })).toThrow("names must be unique and not '__metadata__', got 'w'");
    expect(() => encodeTensors({ tensors: [{ ...w, shape: [2] }], metadata: {} })).toThrow("data of 'w' must have 2 values, got 1");
  });
});

describe('decodeTensors', () => {
  it('refuses a file cut at any length, or with bytes added', () => {
    const bytes = encodeTensors(file);
    for (let length = 0; length < bytes.length; length++) expect(outcome(bytes.subarray(0, length)), `cut at ${length}`).toBe('refused');
    expect(outcome(Uint8Array.of(...bytes, 0))).toBe('refused');
  });

  it('survives every flipped bit of length and header', () => {
    const bytes = encodeTensors(file);
    const headerEnd = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
    let refused = 0;
    for (let bit = 0; bit < headerEnd * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      if (outcome(damaged) === 'refused') refused++;
    }
    // What passes is a flip within a name or a text.
    expect(refused / (headerEnd * 8)).toBeGreaterThan(0.5);
  });

  it('survives arbitrary bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void outcome(bytes)), { seed: 1, numRuns: 200 });
    const json = fc.json({ maxDepth: 4 });
    fc.assert(fc.property(json, (text) => void outcome(withHeader(text))), { seed: 1, numRuns: 200 });
    fc.assert(fc.property(json, (text) => void outcome(withHeader(`{"a":${text}}`, 4))), { seed: 1, numRuns: 200 });
  });

  it('checks the header length before allocating', () => {
    expect(() => decodeTensors(withHeader('{}', 0, 2 ** 52))).toThrow('the header must have at most 2 bytes, got 4503599627370496');
    const all = withHeader('{}');
    all.fill(255, 0, 8);
    expect(outcome(all)).toBe('refused');
  });

  it.each([
    ['names that repeat', `{"a":${entry(0, 4)},"a":${entry(4, 8)}}`, "got 'a' twice"],
    ['names that repeat by escapes', `{"a":${entry(0, 8)},"\\u0061":${entry(0, 8)}}`, "got 'a' twice"],
    ['overlaps', `{"a":${entry(0, 8)},"b":${entry(4, 8)}}`, "'b' must start at byte 8, got 4"],
    ['gaps', `{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, "'b' must start at byte 4, got 8"],
    ['data that nothing covers', `{"a":${entry(0, 4)}}`, 'must cover 8 bytes, got 4'],
    ['offsets beyond the end', `{"a":${entry(0, 2 ** 40)}}`, 'must cover 8 bytes'],
    ['offsets that run backwards', `{"a":${entry(8, 0, [1])}}`, 'must have 4 bytes, got -8'],
    ['negative offsets', `{"a":${entry(-8, 0)}}`, 'must be two integers ≥ 0'],
    ['shapes that overflow', `{"a":${entry(0, 8, [2 ** 52, 2 ** 52, 2 ** 52])}}`, 'must have'],
    ['negative dimensions', `{"a":${entry(0, 8, [-1, -2])}}`, 'must be integers ≥ 0'],
    ['other dtypes', `{"a":${entry(0, 8, [1], 'F64')}}`, 'must be F32 or I32, got "F64"'],
    ['entries that are no objects', '{"a":[]}', "the entry of 'a' must be an object"],
    ['headers that are no objects', '[]', 'must be a JSON object'],
    ['headers that are no JSON', '{"a"', 'must be JSON in UTF-8'],
    ['metadata that is no text', '{"__metadata__":{"x":1}}', 'must be an object of strings'],
  ])('refuses %s', (_, header, message) => {
    expect(outcome(withHeader(header, 8))).toBe('refused');
    expect(() => decodeTensors(withHeader(header, 8))).toThrow(message);
  });
});
