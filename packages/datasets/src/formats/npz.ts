import { expectInteger, expectKnownKeys } from '@moe/core';
import { expectBytes } from '../internal/expect-bytes.js';
import { unzip } from '../internal/unzip.js';
import { DEFAULT_MAX_BYTES, type InflateOptions } from './gzip.js';
import { type NpyArray, parseNpy } from './npy.js';

/**
 * Reads the arrays of an npz file, as `numpy.savez` and `numpy.savez_compressed` write it.
 *
 * @remarks
 * Types u1, i1, i4, i8, f4, f8 and bool, little-endian, in C order. Entries that are not `.npy` are refused. Uncompressed unsigned bytes
 * share memory with `bytes`.
 *
 * @param bytes - the whole file.
 * @returns Arrays by name, without `.npy`.
 * @throws DataFormatError if the file is damaged, holds something else, or inflates to more than `maxBytes`.
 * @see {@link https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html | NumPy, Format of npy files}
 *
 * @example
 * const arrays = parseNpz(new Uint8Array(await readFile('mnist.npz')), { file: 'mnist.npz' });
 * const images = arrays.get('x_train')?.data;
 */
export function parseNpz(bytes: Uint8Array, options: InflateOptions = {}): ReadonlyMap<string, NpyArray> {
  expectBytes('parseNpz', bytes);
  expectKnownKeys('parseNpz', options, ['file', 'maxBytes']);
  const { file = 'bytes', maxBytes = DEFAULT_MAX_BYTES } = options;
  expectInteger('parseNpz', 'maxBytes', maxBytes, 0);
  const arrays = new Map<string, NpyArray>();
  for (const [name, content] of unzip({ caller: 'parseNpz', file }, bytes, maxBytes)) {
    arrays.set(name.replace(/\.npy$/, ''), parseNpy({ caller: 'parseNpz', file: `${file}, entry '${name}',` }, content));
  }
  return arrays;
}
