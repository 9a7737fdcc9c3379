import { type Tensor1D, type Tensor4D, tensor1d, tensor4d } from '@tensorflow/tfjs-core';
import type { Batch } from '@moe/core';

/**
 * Hands a batch to the engine.
 *
 * @returns `inputs` `[B,H,W,C]` float32 and `labels` `[B]` int32, which share no memory with the batch; the caller disposes both.
 *
 * @example
 * const { inputs, labels } = toTensors(await dataset.read([0, 1, 2]));
 */
export function toTensors({ inputs, labels, shape }: Batch): { inputs: Tensor4D; labels: Tensor1D } {
  // The cpu engine keeps the very array that it is given.
  return { inputs: tensor4d(inputs.slice(), [...shape], 'float32'), labels: tensor1d(labels.slice(), 'int32') };
}
