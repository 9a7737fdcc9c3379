import { type GatherV2Attrs, type GatherV2Inputs, backend_util, util } from '@tensorflow/tfjs-core';
import { TYPES } from '../types.js';
import { int, type } from './attribute.js';
import { tensorflowKernel } from './kernel.js';
import { compute } from './operations.js';

/**
 * Leaves the indices where they are. The stock kernel reads every one to check it, which TensorFlow does itself on a CPU; on a GPU that reads zeros for those out of
 * range, the stock kernel stays.
 */
export const gather = tensorflowKernel<GatherV2Inputs, GatherV2Attrs>('GatherV2', ({ inputs: { x, indices }, attrs: { axis, batchDims }, engine }) => {
  if (engine.binding.isUsingGpuDevice()) return undefined;
  const [$axis] = util.parseAxisParam(axis, x.shape) as [number];
  backend_util.segment_util.collectGatherOpShapeInfo(x, indices, $axis, batchDims);
  return compute(engine, (tf) => {
    const [$x, $indices] = [tf.input(x), tf.input(indices)];
    const attributes = [int('batch_dims', batchDims), type('Tparams', $x.dtype), type('Tindices', $indices.dtype), type('Taxis', TYPES.TF_INT32)];
    return [tf.run('GatherV2', attributes, [$x, $indices, tf.scalar($axis, TYPES.TF_INT32)])];
  })[0];
});
