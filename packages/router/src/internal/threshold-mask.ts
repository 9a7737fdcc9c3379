// Shapes: T tokens, E experts.
import { type Tensor2D, reshape, slice, topk } from '@tensorflow/tfjs-core';
import { detached } from './detached.js';
import { oneHotRows } from './one-hot.js';

/** 1 at the k-th largest entry of each row, ties to the lowest index, `[T,E]`; nothing is read back, and no gradient flows through it. */
export function thresholdMask(x: Tensor2D, k: number): Tensor2D {
  const [rows, experts] = x.shape;
  return detached(x, (scores) => oneHotRows(reshape(slice(topk(scores, k).indices, [0, k - 1], [rows, 1]), [rows]), experts));
}
