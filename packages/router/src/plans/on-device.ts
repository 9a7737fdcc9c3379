// Shapes: T tokens, E experts.
import { type Tensor2D, reshape, sum, topk } from '@tensorflow/tfjs-core';
import { detached } from '../internal/detached.js';
import { oneHotRows } from '../internal/one-hot.js';

/** 1 at the `k` largest entries of each row, ties to the lowest index, without a read from the device; no gradient flows through it. */
export function topKMaskOnDevice(x: Tensor2D, k: number): Tensor2D {
  const [rows, experts] = x.shape;
  return detached(x, (scores) => sum(reshape(oneHotRows(reshape(topk(scores, k).indices, [rows * k]), experts), [rows, k, experts]), 1) as Tensor2D);
}
