import { expectArgument } from '@moe/core';
import { zlibSync } from 'fflate';
import { type PixelImage, expectImage } from './image.js';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] as const;
const GREY = 0;
const RGB = 2;

/**
 * Encodes bytes as a PNG file: 8 bits a channel, grey or RGB, no filter, no metadata, the same bytes every time.
 *
 * @param image - `data` must be bytes.
 * @returns The file.
 * @throws {@link ArgumentError} if sizes disagree or `data` is not a `Uint8Array`.
 * @see {@link https://www.w3.org/TR/png-3/ | PNG, third edition}.
 *
 * @example
 * ```ts
 * import { encodePng } from '@moe/report';
 *
 * const file = encodePng({ data: Uint8Array.of(0, 255), height: 1, width: 2, channels: 1 });
 * console.log(file[1] === 0x50); // true, the P of PNG
 * ```
 */
export function encodePng(image: PixelImage): Uint8Array {
  expectImage('encodePng', 'image', image);
  const { data, height, width, channels } = image;
  expectArgument('encodePng', 'image.data', data instanceof Uint8Array, 'be a Uint8Array', 'Float32Array', 'Scale to 0 … 255 first.');
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, channels === 1 ? GREY : RGB], 8);

  const stride = width * channels;
  const lines = new Uint8Array(height * (stride + 1)); // each line starts with its filter type, 0
  for (let y = 0; y < height; y++) lines.set(data.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1);

  const parts = [Uint8Array.from(SIGNATURE), chunk('IHDR', header), chunk('IDAT', zlibSync(lines)), chunk('IEND', new Uint8Array())];
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

/* Length, type, data, CRC-32 of type and data. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)));
  return bytes;
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
