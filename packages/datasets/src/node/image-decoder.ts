/** Pixels of one image. */
export interface DecodedImage {
  /** Row-major `[height,width,channels]`, one byte each. */
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Height and width in pixels. */
export type ImageSize = readonly [height: number, width: number];

/**
 * Turns a JPEG or PNG into pixels, scaled to `size` if one is given.
 *
 * @remarks
 * Bytes may come from strangers: a decoder rejects what is damaged, and limits the pixels that it takes memory for.
 */
export type ImageDecoder = (bytes: Uint8Array, size?: ImageSize) => Promise<DecodedImage>;
