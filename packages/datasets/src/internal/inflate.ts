import { isMoeError } from '@moe/core';
import { Inflate } from 'fflate';
import { DOWNLOAD_AGAIN, type Source, expectFormat } from './expect-format.js';

/** Deflate cannot shrink data further than this (RFC 1951: 258 bytes from 2 bits). */
const MAX_RATIO = 1032;
/** Input given to the decoder at once, so that a bomb is noticed after at most 1032 times this many bytes. */
const SLICE = 16 * 1024;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** CRC-32 as in zip and gzip. */
export function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}

/** What a container says about its deflated content. */
export interface Declared {
  readonly size: number;
  readonly crc: number;
}

/**
 * Inflates raw deflate data into exactly the declared number of bytes.
 *
 * @remarks
 * The declared size is compared with what deflate can produce at all before memory is taken, and the real size while inflating.
 *
 * @throws DataFormatError if the data is damaged, or longer or shorter than declared.
 */
export function inflateExactly(source: Source, data: Uint8Array, { size, crc }: Declared): Uint8Array {
  expectFormat(source, size <= MAX_RATIO * data.length, `declare at most ${MAX_RATIO} times its ${data.length} compressed bytes`, size, DOWNLOAD_AGAIN);
  const out = new Uint8Array(size);
  let filled = 0;
  const inflate = new Inflate((chunk) => {
    expectFormat(source, filled + chunk.length <= size, `inflate to the declared ${size} bytes`, `at least ${filled + chunk.length}`, DOWNLOAD_AGAIN);
    out.set(chunk, filled);
    filled += chunk.length;
  });
  for (let start = 0; start < data.length; start += SLICE) {
    push(source, inflate, data.subarray(start, start + SLICE), start + SLICE >= data.length);
  }
  expectFormat(source, filled === size, `inflate to the declared ${size} bytes`, filled, DOWNLOAD_AGAIN);
  const actual = crc32(out);
  expectFormat(source, actual === crc, `have the declared CRC-32 ${crc.toString(16)}`, actual.toString(16), DOWNLOAD_AGAIN);
  return out;
}

function push(source: Source, inflate: Inflate, slice: Uint8Array, final: boolean): void {
  try {
    inflate.push(slice, final);
  } catch (error) {
    if (isMoeError(error)) throw error;
    expectFormat(source, false, 'be valid deflate data', error instanceof Error ? error.message : String(error), DOWNLOAD_AGAIN, error);
  }
}
