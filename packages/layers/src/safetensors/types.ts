import type { HostArray } from './host-tensor.js';
import { fromBfloat16, fromHalf } from './half.js';

interface StoredType {
  readonly bytes: number;
  /** Array over `buffer`, from a byte that is a multiple of `bytes`. */
  readonly view: (buffer: ArrayBufferLike, start: number, length: number) => HostArray;
}

const bits = (buffer: ArrayBufferLike, start: number, length: number): Uint16Array => new Uint16Array(buffer, start, length);
const octets: StoredType = { bytes: 1, view: (buffer, start, length) => new Uint8Array(buffer, start, length) };

/** How each type of the format is held; the others (8-bit floats, complex numbers) have no array in JavaScript. */
export const STORED_TYPES: ReadonlyMap<string, StoredType> = new Map<string, StoredType>([
  ['F64', { bytes: 8, view: (buffer, start, length) => new Float64Array(buffer, start, length) }],
  ['I64', { bytes: 8, view: (buffer, start, length) => new BigInt64Array(buffer, start, length) }],
  ['U64', { bytes: 8, view: (buffer, start, length) => new BigUint64Array(buffer, start, length) }],
  ['F32', { bytes: 4, view: (buffer, start, length) => new Float32Array(buffer, start, length) }],
  ['I32', { bytes: 4, view: (buffer, start, length) => new Int32Array(buffer, start, length) }],
  ['U32', { bytes: 4, view: (buffer, start, length) => new Uint32Array(buffer, start, length) }],
  ['F16', { bytes: 2, view: (buffer, start, length) => fromHalf(bits(buffer, start, length)) }],
  ['BF16', { bytes: 2, view: (buffer, start, length) => fromBfloat16(bits(buffer, start, length)) }],
  ['I16', { bytes: 2, view: (buffer, start, length) => new Int16Array(buffer, start, length) }],
  ['U16', { bytes: 2, view: bits }],
  ['I8', { bytes: 1, view: (buffer, start, length) => new Int8Array(buffer, start, length) }],
  ['U8', octets],
  ['BOOL', octets],
]);

/** The type under which an array is written, by the name of its class. */
export const TYPE_OF_ARRAY: ReadonlyMap<string, string> = new Map([
  ['Float64Array', 'F64'],
  ['BigInt64Array', 'I64'],
  ['BigUint64Array', 'U64'],
  ['Float32Array', 'F32'],
  ['Int32Array', 'I32'],
  ['Uint32Array', 'U32'],
  ['Int16Array', 'I16'],
  ['Uint16Array', 'U16'],
  ['Int8Array', 'I8'],
  ['Uint8Array', 'U8'],
]);
