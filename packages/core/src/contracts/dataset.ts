import type { Bounds } from './model.js';

/** Examples read together; plain arrays, so that no engine is needed to read data. */
export interface Batch {
  /** Row-major `[B,H,W,C]`, float32 within the data set's bounds. */
  readonly inputs: Float32Array;
  /** Class indices `[B]`. */
  readonly labels: Int32Array;
  /** Index of each example in its data set, `[B]`; key of its random draws. */
  readonly ids: Int32Array;
  /** `[B, H, W, C]`. */
  readonly shape: readonly [number, number, number, number];
}

/** Labelled images with random access; iterating reads all of them once, in order, in batches. */
export interface Dataset extends AsyncIterable<Batch> {
  readonly name: string;
  /** Which part of the whole this is, e.g. `'train'`, `'test'`. */
  readonly split: string;
  readonly length: number;
  /** `[H, W, C]`. */
  readonly inputShape: readonly [number, number, number];
  readonly classNames: readonly string[];
  readonly bounds: Bounds;
  /**
   * Reads examples in the order given.
   *
   * @throws ArgumentError if an index is out of range; DataFormatError if the data is damaged.
   */
  read(indices: ArrayLike<number>): Promise<Batch>;
}
