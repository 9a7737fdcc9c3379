import { CheckpointError, expectArgument } from '@moe/core';
import { type HeaderEntry, MAX_HEADER_BYTES, parseHeader } from './header.js';

/** A named array with a shape, as it lies in a file. */
export interface StoredTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Row-major; `Float32Array` is stored as F32, `Int32Array` as I32. */
  readonly data: Float32Array | Int32Array;
}

/** Content of a tensor file. */
export interface TensorFile {
  readonly tensors: readonly StoredTensor[];
  /** Free text by key; `{}` if none. */
  readonly metadata: Readonly<Record<string, string>>;
}

const BYTES_PER_VALUE = 4;
const LENGTH_BYTES = 8;

const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** Swaps the bytes of each value where the machine stores them the other way than the file. */
function toLittleEndian(bytes: Uint8Array): void {
  if (isLittleEndian) return;
  for (let i = 0; i < bytes.length; i += BYTES_PER_VALUE) bytes.subarray(i, i + BYTES_PER_VALUE).reverse();
}

/**
 * Bytes of a safetensors file: 8 bytes of header length, a JSON header, then the raw values in little-endian order.
 *
 * @param file - tensors with unique names, and text.
 * @returns A new array; the same content always gives the same bytes.
 * @throws {@link ArgumentError} if a name is taken twice or reserved, or data and shape disagree.
 * @see {@link https://github.com/huggingface/safetensors | safetensors}, whose readers read these files.
 *
 * @example
 * const bytes = encodeTensors({ tensors: [{ name: 'w', shape: [2], data: Float32Array.of(1, 2) }], metadata: {} });
 */
export function encodeTensors({ tensors, metadata }: TensorFile): Uint8Array {
  const entries = new Map<string, HeaderEntry>();
  let size = 0;
  for (const { name, shape, data } of tensors) {
    expectArgument('encodeTensors', 'names', !entries.has(name) && name !== '__metadata__', "be unique and not '__metadata__'", name);
    const length = shape.reduce((product, dimension) => product * dimension, 1);
    expectArgument('encodeTensors', `data of '${name}'`, data.length === length, `have ${length} values`, data.length);
    entries.set(name, { dtype: data instanceof Float32Array ? 'F32' : 'I32', shape, data_offsets: [size, size + data.byteLength] });
    size += data.byteLength;
  }
  // Members are joined by hand: an object would move names that look like numbers to the front.
  const members = [['__metadata__', metadata] as const, ...entries].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const json = new TextEncoder().encode(`{${members.join(',')}}`);
  // Spaces after the JSON let the values start at a multiple of eight.
  const headerBytes = Math.ceil(json.length / LENGTH_BYTES) * LENGTH_BYTES;
  const start = LENGTH_BYTES + headerBytes;
  const bytes = new Uint8Array(start + size);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(0x20, LENGTH_BYTES, start);
  bytes.set(json, LENGTH_BYTES);
  for (const { name, data } of tensors) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start + entries.get(name)!.data_offsets[0]);
  }
  toLittleEndian(bytes.subarray(start));
  return bytes;
}

/**
 * Reads the bytes of a safetensors file with F32 and I32 values.
 *
 * @remarks
 * Everything is checked before memory is allocated: header length, names, shapes, and that the offsets cover the data once, without gap or overlap.
 *
 * @returns Tensors in file order, with arrays of their own.
 * @throws {@link CheckpointError} if the bytes are anything else.
 *
 * @example
 * const { tensors, metadata } = decodeTensors(await readFile('model.safetensors'));
 */
export function decodeTensors(bytes: Uint8Array): TensorFile {
  const fail = (what: string): never => {
    throw new CheckpointError(`decodeTensors: ${what}. The file is damaged or of another format.`);
  };
  if (bytes.length < LENGTH_BYTES) fail(`a tensor file must have at least ${LENGTH_BYTES} bytes, got ${bytes.length}`);
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  const limit = Math.min(bytes.length - LENGTH_BYTES, MAX_HEADER_BYTES);
  if (headerBytes > BigInt(limit)) fail(`the header must have at most ${limit} bytes, got ${headerBytes}`);
  const start = LENGTH_BYTES + Number(headerBytes);
  const { entries, metadata } = parseHeader(bytes.subarray(LENGTH_BYTES, start), bytes.length - start, fail);
  const tensors = entries.map(([name, { dtype, shape, data_offsets: [from, to] }]): StoredTensor => {
    // Not bytes.slice: that of Node's Buffer shares memory.
    const own = new Uint8Array(bytes.subarray(start + from, start + to));
    toLittleEndian(own);
    return { name, shape, data: dtype === 'F32' ? new Float32Array(own.buffer) : new Int32Array(own.buffer) };
  });
  return { tensors, metadata };
}
