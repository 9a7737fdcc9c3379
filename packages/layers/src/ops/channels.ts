// Shapes: B batch, H W pixels, C channels.
import { type Tensor, type Tensor1D, type Tensor2D, matMul, ones, reshape, sum, tile } from '@tensorflow/tfjs-core';

/**
 * Feature maps `[B,H,W,C]` as rows `[B·H, W·C]`, and vectors `[C]` spread to `[W·C]`.
 *
 * @remarks
 * Broadcasting over a short last axis costs engines several times what it costs over a long one (measured on wasm: 10x at C = 8).
 */
export interface ChannelRows {
  readonly rows: (x: Tensor) => Tensor2D;
  readonly spread: (vector: Tensor1D) => Tensor1D;
  /** Sum over everything but the channels, `[C]`. */
  readonly sum: (rows: Tensor2D) => Tensor1D;
  /** Values per channel, B·H·W. */
  readonly count: number;
}

/** The row view of maps of this shape; `[B,C]` counts as a map of one pixel. */
export function channelRows(shape: readonly number[]): ChannelRows {
  const channels = shape.at(-1)!;
  const width = shape.length > 2 ? shape.at(-2)! : 1;
  const count = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  const height = count / width;
  return {
    rows: (x) => reshape(x, [height, width * channels]),
    spread: (vector) => (width === 1 ? vector : tile(vector, [width])),
    sum: (rows) => sum(reshape(matMul(ones([1, height]) as Tensor2D, rows), [width, channels]), 0),
    count,
  };
}
