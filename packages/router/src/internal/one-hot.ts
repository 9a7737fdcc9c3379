import { type Tensor, type Tensor1D, type Tensor2D, cast, equal, expandDims, range } from '@tensorflow/tfjs-core';

/** One-hot rows `[N,depth]` of int32 indices; unlike `tf.oneHot` also for a depth of 1. Not differentiable. */
export const oneHotRows = (indices: Tensor1D, depth: number): Tensor2D => cast(equal(expandDims(indices, 1) as Tensor, expandDims(range(0, depth, 1, 'int32'), 0)), 'float32') as Tensor2D;
