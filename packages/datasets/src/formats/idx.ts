import { expectKnownKeys } from '@moe/core';
import { expectBytes } from '../internal/expect-bytes.js';
import { DOWNLOAD_AGAIN, expectFormat } from '../internal/expect-format.js';
import { DEFAULT_MAX_BYTES, type InflateOptions, gunzip, isGzip } from './gzip.js';

/** Array of an IDX file. */
export interface IdxArray {
  readonly shape: readonly number[];
  /** Row-major; the type of its entries is that of the file. */
  readonly data: Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;
}

interface IdxType {
  readonly bytes: number;
  readonly make: (length: number) => Exclude<IdxArray['data'], Uint8Array>;
  readonly get: (view: DataView, at: number) => number;
}

const UINT8 = 0x08;
const TYPES: Readonly<Record<number, IdxType>> = {
  0x09: { bytes: 1, make: (n) => new Int8Array(n), get: (view, at) => view.getInt8(at) },
  0x0b: { bytes: 2, make: (n) => new Int16Array(n), get: (view, at) => view.getInt16(at) },
  0x0c: { bytes: 4, make: (n) => new Int32Array(n), get: (view, at) => view.getInt32(at) },
  0x0d: { bytes: 4, make: (n) => new Float32Array(n), get: (view, at) => view.getFloat32(at) },
  0x0e: { bytes: 8, make: (n) => new Float64Array(n), get: (view, at) => view.getFloat64(at) },
};

/**
 * Reads an IDX file, the format of MNIST and Fashion-MNIST, plain or gzipped.
 *
 * @remarks
 * Header: two zero bytes, type, rank, then each size as big-endian uint32; then the data, big-endian, row-major. Unsigned bytes
 * are not copied: the result shares memory with plain input.
 *
 * @param bytes - the whole file.
 * @returns Shape and entries.
 * @throws DataFormatError if it is not such a file, or is longer or shorter than its header says.
 * @see {@link https://yann.lecun.org/exdb/mnist/ | LeCun et al., The MNIST database}
 *
 * @example
 * const { shape, data } = parseIdx(new Uint8Array(await readFile('t10k-images-idx3-ubyte.gz'))); // [10000, 28, 28]
 */
export function parseIdx(bytes: Uint8Array, options: InflateOptions = {}): IdxArray {
  expectBytes('parseIdx', bytes);
  expectKnownKeys('parseIdx', options, ['file', 'maxBytes']);
  const { file = 'bytes', maxBytes = DEFAULT_MAX_BYTES } = options;
  const source = { caller: 'parseIdx', file };
  const plain = isGzip(bytes) ? gunzip(source, bytes, maxBytes) : bytes;
  const type = plain[2] ?? 0;
  const known = plain[0] === 0 && plain[1] === 0 && (type === UINT8 || type in TYPES);
  const magic = Array.from(plain.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  expectFormat(source, known, 'begin with 00 00 and an IDX type 08, 09, 0b, 0c, 0d or 0e', magic || 'no bytes', 'Pass an IDX file, gzipped or not.');
  const rank = plain[3] ?? 0;
  const start = 4 + 4 * rank;
  expectFormat(source, rank > 0 && plain.length >= start, `have a header of ${start} bytes and rank ≥ 1`, `${plain.length} bytes`, DOWNLOAD_AGAIN);
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const length = shape.reduce((total, size) => total * size, 1);
  const wanted = start + length * (TYPES[type]?.bytes ?? 1);
  expectFormat(source, plain.length === wanted, `have ${wanted} bytes, as its sizes [${shape.join(',')}] say`, plain.length, DOWNLOAD_AGAIN);
  return { shape, data: type === UINT8 ? plain.subarray(start) : decode(TYPES[type]!, view, start, length) };
}

function decode({ bytes, make, get }: IdxType, view: DataView, start: number, length: number): IdxArray['data'] {
  const data = make(length);
  for (let i = 0; i < length; i++) data[i] = get(view, start + i * bytes);
  return data;
}
