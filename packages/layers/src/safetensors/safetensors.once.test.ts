import { isMoeError } from '@moe/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostTensor } from './host-tensor.js';
import { readSafetensors } from './read-safetensors.js';
import { writeSafetensors } from './write-safetensors.js';

/** A file with any header and data, however wrong. */
function fileOf(header: unknown, data: readonly number[] = [], headerLength?: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength ?? json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

/** Message of the DataFormatError that reading throws; any other error fails the test. */
function formatError(bytes: Uint8Array): string | undefined {
  try {
    readSafetensors(bytes, { file: 'my.file' });
    return undefined;
  } catch (error) {
    if (!isMoeError(error, 'DATA_FORMAT')) throw error;
    expect(error.message).toMatch(/^readSafetensors: my\.file.* must [^]*, got [^]*\. [A-Z]/);
    return error.message;
  }
}

const arrays: readonly HostTensor[] = [
  { shape: [2], data: Float64Array.of(Math.PI, -0) },
  { shape: [2, 1], data: Float32Array.of(1.5, NaN) },
  { shape: [1], data: BigInt64Array.of(-5n) },
  { shape: [1], data: BigUint64Array.of(2n ** 63n) },
  { shape: [1, 1, 1], data: Int32Array.of(-7) },
  { shape: [], data: Uint32Array.of(7) },
  { shape: [3], data: Int16Array.of(1, -2, 3) },
  { shape: [1], data: Uint16Array.of(65_535) },
  { shape: [3], data: Int8Array.of(-1, 0, 1) },
  { shape: [0, 4], data: new Uint8Array() },
];

describe('writeSafetensors and readSafetensors', () => {
  it('give every type back, names and metadata too, in a file whose data are aligned', () => {
    const names = ['a.b', '__proto__', 'ü "quoted"', 'constructor', 'e', 'f', 'g', 'h', 'i', 'j'];
    const tensors = new Map(arrays.map((tensor, i) => [names[i]!, tensor]));
    const bytes = writeSafetensors(tensors, { metadata: { format: 'pt' } });
    const read = readSafetensors(bytes);
    expect(read.metadata).toEqual({ format: 'pt' });
    expect(new Map([...read.tensors].sort())).toEqual(new Map([...tensors].sort()));
    expect(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8).toBe(0);
    expect(read.tensors.get('a.b')!.data.buffer).toBe(bytes.buffer);
  });

  it('read the same from bytes that begin anywhere in their buffer', () => {
    const bytes = writeSafetensors(new Map(arrays.map((tensor, i) => [String(i), tensor])));
    for (const buffer of [new Uint8Array(bytes.length + 3), Buffer.alloc(bytes.length + 3)]) {
      const shifted = buffer.subarray(3);
      shifted.set(bytes);
      expect(readSafetensors(shifted)).toEqual(readSafetensors(bytes));
    }
  });

  it('write the same bytes whatever the order', () => {
    const entries = arrays.map((tensor, i): [string, HostTensor] => [`t${i}`, tensor]);
    expect(writeSafetensors(new Map([...entries].reverse()))).toEqual(writeSafetensors(new Map(entries)));
  });

  it('write a file by hand: one tensor [1, 2] of I8', () => {
    const header = '{"x":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}}';
    const written = writeSafetensors(new Map([['x', { shape: [2], data: Int8Array.of(1, 2) }]]));
    expect(written).toEqual(fileOf(header.padEnd(56), [1, 2]));
    expect(readSafetensors(fileOf(header, [1, 2])).tensors.get('x')).toEqual({ shape: [2], data: Int8Array.of(1, 2) });
  });

  it('hold no tensor at all', () => {
    expect(readSafetensors(writeSafetensors(new Map()))).toEqual({ tensors: new Map(), metadata: {} });
  });

  it.each([
    [{ shape: [3], data: Float32Array.of(1) }, "writeSafetensors: data of 'x' must have the 3 numbers of its shape, got 1."],
    [{ shape: [-1], data: Float32Array.of(1) }, "writeSafetensors: shape[0] of 'x' must be an integer ≥ 0, got -1."],
    [{ shape: [1], data: [1] }, "writeSafetensors: data of 'x' must be one of Float64Array"],
  ])('refuse to write %j', (tensor, message) => {
    expect(() => writeSafetensors(new Map([['x', tensor as HostTensor]]))).toThrow(message);
  });

  it('refuse the name that the format keeps for itself', () => {
    expect(() => writeSafetensors(new Map([['__metadata__', { shape: [], data: Float32Array.of(1) }]]))).toThrow("must not be '__metadata__'");
  });
});

describe('readSafetensors', () => {
  it('widens half precisions exactly', () => {
    // 1, -2, 65504 (largest), 2^-24 (smallest), Infinity, NaN, -0.
    const halves = [0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0x7e00, 0x8000].flatMap((bits) => [bits & 255, bits >> 8]);
    const half = fileOf({ x: { dtype: 'F16', shape: [7], data_offsets: [0, 14] } }, halves);
    expect(readSafetensors(half).tensors.get('x')!.data).toEqual(Float32Array.of(1, -2, 65_504, 2 ** -24, Infinity, NaN, -0));
    // 1, -3.140625, Infinity.
    const brain = [0x3f80, 0xc049, 0x7f80].flatMap((bits) => [bits & 255, bits >> 8]);
    expect(readSafetensors(fileOf({ x: { dtype: 'BF16', shape: [3], data_offsets: [0, 6] } }, brain)).tensors.get('x')!.data).toEqual(Float32Array.of(1, -3.140625, Infinity));
  });

  const entry = { dtype: 'U8', shape: [2], data_offsets: [0, 2] };
  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(), 'begin with the length of its header, got 0 bytes'],
    ['a header longer than the file', fileOf({}, [], 3), 'have a header of at most 10000000 bytes inside the file, got 3 bytes in a file of 10'],
    ['a header of 2^60 bytes', fileOf({}, [], 2 ** 60), 'got 1152921504606846976 bytes in a file of 10'],
    ['no JSON', fileOf('{"x"'), 'have a header of JSON in UTF-8'],
    ['an array', fileOf('[]'), 'have a JSON object as its header, got []'],
    ['leading spaces', fileOf(' {}'), 'have a JSON object as its header'],
    ['metadata of numbers', fileOf({ __metadata__: { a: 1 } }), 'have metadata of strings'],
    ['an entry without fields', fileOf({ x: 3 }), "my.file at 'x' must have an object with dtype, shape and data_offsets, got 3"],
    ['an unknown type', fileOf({ x: { ...entry, dtype: 'F8_E5M2' } }, [1, 2]), 'must have a dtype of F64, I64'],
    ['a negative size', fileOf({ x: { ...entry, shape: [-2] } }, [1, 2]), 'have a shape of at most 16 sizes'],
    ['a huge shape', fileOf({ x: { ...entry, shape: [2 ** 52, 2 ** 52] } }, [1, 2]), 'have as many bytes as its shape'],
    ['a shape of sizes that multiply to nothing', fileOf({ x: { ...entry, shape: [2 ** 52, 2 ** 52, 0] } }, [1, 2]), 'have as many bytes as its shape'],
    ['three offsets', fileOf({ x: { ...entry, data_offsets: [0, 1, 2] } }, [1, 2]), 'have two data_offsets'],
    ['offsets that do not fit the shape', fileOf({ x: { ...entry, data_offsets: [0, 3] } }, [1, 2, 3]), "needs, got 3"],
    ['offsets the wrong way round', fileOf({ x: { ...entry, data_offsets: [2, 0] } }, [1, 2]), 'needs, got -2'],
    ['an overlap', fileOf({ x: entry, y: { ...entry, data_offsets: [1, 3] } }, [1, 2, 3]), "my.file at 'y' must begin at byte 2 of the data, where the tensor before it ends, got 1"],
    ['a gap', fileOf({ x: entry, y: { ...entry, data_offsets: [3, 5] } }, [1, 2, 3, 4, 5]), 'begin at byte 2'],
    ['a rest', fileOf({ x: entry }, [1, 2, 3]), 'have 2 bytes of data, as its header says, got 3'],
    ['too few data', fileOf({ x: entry }, [1]), 'have 2 bytes of data, as its header says, got 1'],
    ['a name twice', fileOf(`{"x":${JSON.stringify(entry)},"x":${JSON.stringify({ ...entry, shape: [1, 2] })}}`, [1, 2]), 'name every tensor once, got 2 places for 1 names'],
  ])('refuses %s', (_, bytes, message) => {
    expect(formatError(bytes)).toContain(message);
  });

  it('refuses what is no Uint8Array', () => {
    expect(() => readSafetensors(new ArrayBuffer(8) as never)).toThrow('readSafetensors: bytes must be a Uint8Array, got \'ArrayBuffer\'.');
  });

  const good = writeSafetensors(new Map<string, HostTensor>([
    ['conv.weight', { shape: [2, 1, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
    ['steps', { shape: [], data: BigInt64Array.of(7n) }],
    ['mask', { shape: [3], data: Uint8Array.of(1, 0, 1) }],
  ]), { metadata: { format: 'pt' } });

  it('refuses every proper prefix of a good file', () => {
    for (let length = 0; length < good.length; length++) expect(formatError(good.slice(0, length)), `${length} bytes`).toBeDefined();
  });

  it('throws nothing but DataFormatError after any few bytes were changed', () => {
    const change = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = good.slice();
        for (const [at, mask] of changes) bytes[at]! ^= mask;
        formatError(bytes);
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  it('throws nothing but DataFormatError on any JSON as the header', () => {
    const size = fc.oneof(fc.nat(8), fc.integer(), fc.double(), fc.constant(null));
    const like = fc.dictionary(fc.string(), fc.record({ dtype: fc.constantFrom('F32', 'I64', 'U8', 'BF16', 'x'), shape: fc.array(size, { maxLength: 3 }), data_offsets: fc.array(size, { maxLength: 3 }) }, { requiredKeys: [] }));
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), like), fc.array(fc.nat(255), { maxLength: 16 }), (header, data) => void formatError(fileOf(header, data))),
      { numRuns: 1000, seed: 1 },
    );
  });

  it('gives back whatever was written', () => {
    const tensor = fc.array(fc.nat(3), { maxLength: 4 }).chain((shape) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return fc.oneof(fc.float32Array({ minLength: size, maxLength: size }), fc.bigInt64Array({ minLength: size, maxLength: size }), fc.uint8Array({ minLength: size, maxLength: size })).map((data): HostTensor => ({ shape, data }));
    });
    fc.assert(
      fc.property(fc.dictionary(fc.string().filter((name) => name !== '__metadata__' && name !== 'data_offsets'), tensor), (tensors) => {
        const map = new Map(Object.entries(tensors));
        expect(new Map([...readSafetensors(writeSafetensors(map)).tensors].sort())).toEqual(new Map([...map].sort()));
      }),
      { numRuns: 200, seed: 1 },
    );
  });
});
