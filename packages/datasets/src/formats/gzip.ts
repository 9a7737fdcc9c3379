import { expectInteger } from '@moe/core';
import { DOWNLOAD_AGAIN, type ReadOptions, type Source, expectFormat } from '../internal/expect-format.js';
import { inflateExactly } from '../internal/inflate.js';

/** Options of readers that inflate. */
export interface InflateOptions extends ReadOptions {
  /** Largest number of bytes that the content may have. @defaultValue 2^29, half a gibibyte */
  readonly maxBytes?: number;
}

export const DEFAULT_MAX_BYTES = 2 ** 29;

const HAS_CRC = 2;
const HAS_EXTRA = 4;
const HAS_NAME = 8;
const HAS_COMMENT = 16;
const TRAILER = 8;

/** Tells whether bytes begin as a gzip file does. */
export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/**
 * Inflates a gzip file of one member (RFC 1952), checking sizes before memory is taken, and the CRC-32.
 *
 * @throws DataFormatError if it is damaged or inflates to more than `maxBytes`.
 */
export function gunzip(source: Source, bytes: Uint8Array, maxBytes: number): Uint8Array {
  expectInteger(source.caller, 'maxBytes', maxBytes, 0);
  const start = headerLength(bytes);
  const fits = isGzip(bytes) && bytes[2] === 8 && start + TRAILER <= bytes.length;
  expectFormat(source, fits, 'be a whole gzip file', `${bytes.length} bytes`, DOWNLOAD_AGAIN);
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - TRAILER, TRAILER);
  const size = trailer.getUint32(4, true);
  expectFormat(source, size <= maxBytes, `inflate to at most ${maxBytes} bytes`, size, 'Raise maxBytes if you trust it.');
  return inflateExactly(source, bytes.subarray(start, bytes.length - TRAILER), { size, crc: trailer.getUint32(0, true) });
}

function headerLength(bytes: Uint8Array): number {
  const flags = bytes[3] ?? 0;
  let at = 10;
  if (flags & HAS_EXTRA) at += 2 + (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
  for (const text of [HAS_NAME, HAS_COMMENT]) {
    if ((flags & text) === 0) continue;
    const end = bytes.indexOf(0, at);
    at = end < 0 ? Infinity : end + 1;
  }
  return flags & HAS_CRC ? at + 2 : at;
}
