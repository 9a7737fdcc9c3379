// Shapes: T tokens (rows), E experts, C slots of each expert.
import { type Tensor2D, type Tensor3D, cast, cumsum, expandDims, mul, notEqual, reshape, tidy } from '@tensorflow/tfjs-core';
import { detached } from '../internal/detached.js';
import { oneHotRows } from '../internal/one-hot.js';
import type { SoftSlots } from '../types.js';

/**
 * A sparse choice as slots: the c-th row of an expert in its slot c, one-hot.
 *
 * @see {@link https://arxiv.org/abs/2006.16668 | Lepikhin et al. 2020}, the dispatch and combine tensors of GShard.
 */
export function slotsOf(combineWeights: Tensor2D, capacity: number): SoftSlots {
  const [T, E] = combineWeights.shape;
  return tidy(() => {
    const slots = detached(combineWeights, (weights) => {
      const chosen = notEqual(weights, 0);
      const place = cumsum(cast(chosen, 'int32'), 0, true);
      return mul(reshape(oneHotRows(reshape(cast(place, 'int32'), [T * E]), capacity), [T, E, capacity]), expandDims(cast(chosen, 'float32'), 2));
    });
    return {
      dispatch: reshape(slots, [1, T, E * capacity]) as Tensor3D,
      combine: reshape(mul(slots, expandDims(combineWeights, 2)), [1, T, E * capacity]) as Tensor3D,
    };
  });
}
