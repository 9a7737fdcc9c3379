import { DOWNLOAD_AGAIN, type Source, expectFormat } from '../internal/expect-format.js';

/** Array of an npy file. */
export interface NpyArray {
  readonly shape: readonly number[];
  /** NumPy's name of the type in the file. */
  readonly dtype: NpyType;
  /** Row-major. `b1`, truth values, become 0 and 1; `i8` becomes doubles, which hold integers up to 2^53 exactly. */
  readonly data: Uint8Array | Int8Array | Int32Array | Float32Array | Float64Array;
}

/** Types that {@link NpyArray} can hold, without NumPy's mark of byte order. */
export type NpyType = 'b1' | 'u1' | 'i1' | 'i4' | 'i8' | 'f4' | 'f8';

const MAGIC = '\x93NUMPY';
const HEADER = /^\{'descr': '([<>|=])([a-zA-Z]\d{0,2})', 'fortran_order': (True|False), 'shape': \(((?:\d{1,15}(?:, ?\d{1,15}){0,31},?)?)\),? ?\} *\n?$/;
const ITEM_BYTES: Readonly<Record<NpyType, number>> = { b1: 1, u1: 1, i1: 1, i4: 4, i8: 8, f4: 4, f8: 8 };
/** As NumPy, which refuses longer headers of files it does not trust. */
const MAX_HEADER = 10_000;

const isType = (type: string): type is NpyType => Object.hasOwn(ITEM_BYTES, type);

/** Reads an npy file (NumPy Enhancement Proposal 1): little-endian, C order, numbers or truth values. */
export function parseNpy(source: Source, bytes: Uint8Array): NpyArray {
  const version = bytes[6] ?? 0;
  const begins = String.fromCharCode(...bytes.subarray(0, 6)) === MAGIC && version >= 1 && version <= 3 && bytes.length >= 12;
  expectFormat(source, begins, 'begin as an npy file of version 1 to 3', `${bytes.length} bytes that do not`, 'Write it by numpy.save or numpy.savez.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [start, headerLength] = version === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const fits = headerLength <= MAX_HEADER && start + headerLength <= bytes.length;
  expectFormat(source, fits, `have a header of at most ${MAX_HEADER} bytes inside the file`, headerLength, DOWNLOAD_AGAIN);
  const header = new TextDecoder().decode(bytes.subarray(start, start + headerLength));
  const [, order = '', type = '', fortran = '', sizes = ''] = HEADER.exec(header) ?? [];
  expectFormat(source, order !== '', "have a header with 'descr', 'fortran_order' and 'shape' of plain numbers", header.slice(0, 80).trimEnd(), 'Structured and object arrays are not read.');
  const readable = isType(type) && (order !== '>' || ITEM_BYTES[type] === 1) && fortran === 'False';
  const got = `${order}${type}${fortran === 'True' ? ' in Fortran order' : ''}`;
  expectFormat(source, readable, 'hold u1, i1, i4, i8, f4, f8 or bool, little-endian, in C order', got, "Convert it: np.ascontiguousarray(a, dtype='<f4').");
  const shape = sizes.split(',').filter((size) => size.trim() !== '').map(Number);
  const length = shape.reduce((total, size) => total * size, 1);
  const content = bytes.subarray(start + headerLength);
  const wanted = length * ITEM_BYTES[type];
  expectFormat(source, content.length === wanted, `have ${wanted} bytes of data for shape (${shape.join(', ')})`, content.length, DOWNLOAD_AGAIN);
  return { shape, dtype: type, data: decode(source, type, content) };
}

function decode(source: Source, type: NpyType, content: Uint8Array): NpyArray['data'] {
  if (type === 'u1') return content;
  if (type === 'b1') return content.map((byte) => (byte === 0 ? 0 : 1));
  // A typed array must begin at a multiple of its item size, which the data of a file need not do.
  const { buffer } = content.slice();
  if (type === 'i1') return new Int8Array(buffer);
  if (type === 'i4') return new Int32Array(buffer);
  if (type === 'f4') return new Float32Array(buffer);
  if (type === 'f8') return new Float64Array(buffer);
  return Float64Array.from(new BigInt64Array(buffer), (value) => {
    const number = Number(value);
    expectFormat(source, Number.isSafeInteger(number), 'hold integers below 2^53', String(value), 'Store them as i4 or f8.');
    return number;
  });
}
