import { expectInteger, expectKnownKeys, expectOneOf } from '@moe/core';
import type { ImageDecoder } from './image-decoder.js';

/** What {@link sharpDecoder} uses of an image of the `sharp` package. */
export interface SharpImage {
  toColourspace(space: string): SharpImage;
  flatten(options: { background: string }): SharpImage;
  resize(options: { height: number; width: number; fit: 'cover' }): SharpImage;
  raw(): SharpImage;
  toBuffer(options: { resolveWithObject: true }): Promise<{ data: Uint8Array; info: { height: number; width: number; channels: number } }>;
}

/** The default export of the `sharp` package. */
export type SharpModule = (input: Uint8Array, options: { limitInputPixels: number; failOn: 'truncated' }) => SharpImage;

/** Options of {@link sharpDecoder}. */
export interface SharpDecoderOptions {
  /** 3 for sRGB, 1 for grey. @defaultValue 3 */
  readonly channels?: 1 | 3;
  /** Largest image that is decoded; a small file can claim a huge one. @defaultValue 2^25, 33 megapixels */
  readonly maxPixels?: number;
}

/**
 * An {@link ImageDecoder} by `sharp`, which the caller installs and passes in.
 *
 * @remarks
 * Transparent pixels are laid over black. With a size, the image fills it and what stands over is cut off on both sides; Lanczos filter.
 *
 * @throws ArgumentError if an option breaks its rule.
 * @see {@link https://sharp.pixelplumbing.com | sharp}
 *
 * @example
 * import sharp from 'sharp';
 * const train = await imageFolder('cifar10/train', { decode: sharpDecoder(sharp) });
 */
export function sharpDecoder(sharp: SharpModule, options: SharpDecoderOptions = {}): ImageDecoder {
  expectKnownKeys('sharpDecoder', options, ['channels', 'maxPixels']);
  const { channels = 3, maxPixels = 2 ** 25 } = options;
  expectOneOf('sharpDecoder', 'channels', channels, [1, 3]);
  expectInteger('sharpDecoder', 'maxPixels', maxPixels, 1);
  return async (bytes, size) => {
    const image = sharp(bytes, { limitInputPixels: maxPixels, failOn: 'truncated' }).flatten({ background: 'black' });
    const scaled = size === undefined ? image : image.resize({ height: size[0], width: size[1], fit: 'cover' });
    const { data, info } = await scaled.toColourspace(channels === 1 ? 'b-w' : 'srgb').raw().toBuffer({ resolveWithObject: true });
    return { data, height: info.height, width: info.width, channels: info.channels };
  };
}
