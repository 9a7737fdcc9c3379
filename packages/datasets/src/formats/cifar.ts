import { expectKnownKeys } from '@moe/core';
import { expectBytes } from '../internal/expect-bytes.js';
import { DOWNLOAD_AGAIN, type ReadOptions, type Source, expectFormat } from '../internal/expect-format.js';

const SIDE = 32;
const CHANNELS = 3;
const PLANE = SIDE * SIDE;
const PIXELS = PLANE * CHANNELS;

/** `[H, W, C]` of CIFAR images. */
export const CIFAR_SHAPE = [SIDE, SIDE, CHANNELS] as const;

/**
 * Reads a file of the binary version of CIFAR-10.
 *
 * @param bytes - whole file: records of one label and 3072 bytes, colour planes one after another.
 * @returns `images` `[N,32,32,3]`, `labels` `[N]` in `[0, 10)`.
 * @throws DataFormatError if the length is no multiple of 3073 or a label is out of range.
 * @see {@link https://www.cs.toronto.edu/~kriz/cifar.html | Krizhevsky 2009}
 *
 * @example
 * const { images, labels } = parseCifar10(new Uint8Array(await readFile('test_batch.bin')));
 */
export function parseCifar10(bytes: Uint8Array, options: ReadOptions = {}): { images: Uint8Array; labels: Uint8Array } {
  expectBytes('parseCifar10', bytes);
  expectKnownKeys('parseCifar10', options, ['file']);
  const { images, columns } = parseRecords({ caller: 'parseCifar10', file: options.file ?? 'bytes' }, bytes, [10]);
  return { images, labels: columns[0]! };
}

/**
 * Reads a file of the binary version of CIFAR-100.
 *
 * @param bytes - whole file: records of a coarse label, a fine label and 3072 bytes, colour planes one after another.
 * @returns `images` `[N,32,32,3]`, `fine` labels in `[0, 100)`, `coarse` labels in `[0, 20)`.
 * @throws DataFormatError if the length is no multiple of 3074 or a label is out of range.
 * @see {@link https://www.cs.toronto.edu/~kriz/cifar.html | Krizhevsky 2009}
 *
 * @example
 * const { images, fine } = parseCifar100(new Uint8Array(await readFile('test.bin')));
 */
export function parseCifar100(bytes: Uint8Array, options: ReadOptions = {}): { images: Uint8Array; fine: Uint8Array; coarse: Uint8Array } {
  expectBytes('parseCifar100', bytes);
  expectKnownKeys('parseCifar100', options, ['file']);
  const { images, columns } = parseRecords({ caller: 'parseCifar100', file: options.file ?? 'bytes' }, bytes, [20, 100]);
  return { images, coarse: columns[0]!, fine: columns[1]! };
}

/** @param numClasses - one entry per label byte at the head of a record. */
function parseRecords(source: Source, bytes: Uint8Array, numClasses: readonly number[]): { images: Uint8Array; columns: Uint8Array[] } {
  const head = numClasses.length;
  const record = head + PIXELS;
  const whole = bytes.length > 0 && bytes.length % record === 0;
  expectFormat(source, whole, `have a multiple of ${record} bytes, one record per image`, bytes.length, `${DOWNLOAD_AGAIN} The binary version is read, not that for Python.`);
  const length = bytes.length / record;
  const images = new Uint8Array(length * PIXELS);
  const columns = numClasses.map(() => new Uint8Array(length));
  for (let i = 0; i < length; i++) {
    const at = i * record;
    columns.forEach((column, k) => {
      const label = bytes[at + k]!;
      expectFormat(source, label < numClasses[k]!, `have labels in [0, ${numClasses[k]})`, `${label} at byte ${at + k}`, DOWNLOAD_AGAIN);
      column[i] = label;
    });
    for (let pixel = 0; pixel < PLANE; pixel++) {
      for (let c = 0; c < CHANNELS; c++) images[i * PIXELS + pixel * CHANNELS + c] = bytes[at + head + c * PLANE + pixel]!;
    }
  }
  return { images, columns };
}
