// Shapes: B batch, H W pixels, C channels.
import { type Tensor, type Tensor1D, type Tensor2D, type Tensor4D, avgPool, mean, reshape, tile } from '@tensorflow/tfjs-core';

/**
 * Feature maps `[B,H,W,C]` as rows `[B·H, W·C]`, and vectors `[C]` spread to `[W·C]`.
 *
 * @remarks
 * Broadcasting over a short last axis costs engines several times what it costs over a long one (measured on wasm: 10x at C = 8).
 */
export interface ChannelRows {
  readonly rows: (x: Tensor) => Tensor2D;
  readonly spread: (vector: Tensor1D) => Tensor1D;
  /** Mean over everything but the channels, `[C]`. */
  readonly mean: (rows: Tensor) => Tensor1D;
  /** Values per channel, B·H·W. */
  readonly count: number;
}

// From here on, broadcasting is as fast over the channels alone (wasm, C = 64).
const LONG_ENOUGH = 64;

/** The row view of maps of this shape; `[B,C]` counts as a map of one pixel. */
export function channelRows(shape: readonly number[]): ChannelRows {
  const channels = shape.at(-1)!;
  const width = shape.length > 2 ? shape.at(-2)! : 1;
  const merged = channels < LONG_ENOUGH ? width : 1;
  const count = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  const height = shape.length > 3 ? shape.at(-3)! : 1;
  const batch = count / (height * width);
  // Pooling whole maps is the fast reduction of every engine; a map of one pixel has nothing to pool.
  const pooled = (rows: Tensor): Tensor => (height * width === 1 ? rows : avgPool(reshape(rows, [batch, height, width, channels]) as Tensor4D, [height, width], 1, 'valid'));
  return {
    rows: (x) => reshape(x, [count / merged, merged * channels]),
    spread: (vector) => (merged === 1 ? vector : tile(vector, [merged])),
    mean: (rows) => mean(reshape(pooled(rows), [batch, channels]), 0),
    count,
  };
}
