// Shapes: T tokens, E experts.
import { type Tensor2D, oneHot, reshape, sum, topk } from '@tensorflow/tfjs-core';
import { detached } from '../internal/detached.js';

/** 1 at the `k` largest entries of each row, ties to the lowest index, without a read from the device; no gradient flows through it. */
export function topKMaskOnDevice(x: Tensor2D, k: number): Tensor2D {
  const [rows, experts] = x.shape;
  return detached(x, (scores) => sum(reshape(oneHot(reshape(topk(scores, k).indices, [rows * k]), experts, 1, 0, 'float32'), [rows, k, experts]), 1) as Tensor2D);
}
