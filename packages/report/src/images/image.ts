import { expectArgument, expectInteger, expectKnownKeys, expectOneOf } from '@moe/core';

/** Pixels of one image, row by row, channels last. */
export interface PixelImage {
  /** Floats in `bounds` of the function that takes them, or bytes. */
  readonly data: Float32Array | Uint8Array;
  readonly height: number;
  readonly width: number;
  /** 1 grey, 3 red, green and blue. */
  readonly channels: number;
}

const IMAGE_KEYS = ['data', 'height', 'width', 'channels'] as const;

export function expectImage(caller: string, name: string, image: PixelImage, extra: readonly string[] = []): void {
  expectKnownKeys(`${caller}: ${name}`, image, [...IMAGE_KEYS, ...extra]);
  const { data, height, width, channels } = image;
  expectInteger(caller, `${name}.height`, height, 1, 8192);
  expectInteger(caller, `${name}.width`, width, 1, 8192);
  expectOneOf(caller, `${name}.channels`, channels, [1, 3]);
  expectArgument(caller, `${name}.data`, data instanceof Float32Array || data instanceof Uint8Array, 'be a Float32Array or a Uint8Array', typeof data);
  expectArgument(caller, `${name}.data`, data.length === height * width * channels, `hold height × width × channels = ${height * width * channels} numbers`, data.length);
}

const TOLERANCE = 1e-4;

/** Bytes of an image; floats are scaled from `[low, high]` to 0 … 255. */
export function toBytes(caller: string, name: string, { data }: PixelImage, [low, high]: readonly [number, number]): Uint8Array {
  if (data instanceof Uint8Array) return data;
  const slack = TOLERANCE * (high - low);
  const wrong = data.findIndex((value) => !(value >= low - slack && value <= high + slack));
  expectArgument(caller, `${name}.data[${wrong}]`, wrong < 0, `lie in bounds [${low}, ${high}]`, data[wrong], 'Pass the bounds of your images.');
  return Uint8Array.from(data, (value) => Math.round(Math.min(1, Math.max(0, (value - low) / (high - low))) * 255));
}
