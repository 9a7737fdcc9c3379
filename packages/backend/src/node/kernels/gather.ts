import { type GatherV2Attrs, type KernelConfig, type KernelFunc, type TensorInfo, backend_util, getKernel, registerKernel, scalar, unregisterKernel } from '@tensorflow/tfjs-core';
import type { Attribute } from '../attributes.js';
import { TYPES } from '../types.js';

interface Executor {
  executeSingleOutput(name: string, attributes: readonly Attribute[], inputs: readonly TensorInfo[]): TensorInfo;
}

const NAME = 'GatherV2';

const gather: KernelFunc = ({ backend, inputs, attrs }) => {
  const { x, indices } = inputs as { x: TensorInfo; indices: TensorInfo };
  const { axis, batchDims } = attrs as unknown as GatherV2Attrs;
  backend_util.segment_util.collectGatherOpShapeInfo(x as never, indices as never, axis, batchDims);
  const along = scalar(axis, 'int32');
  try {
    return (backend as Executor).executeSingleOutput(NAME, [{ name: 'batch_dims', type: TYPES.TF_ATTR_INT, value: batchDims }], [x, indices, along]);
  } finally {
    along.dispose();
  }
};

/**
 * Lets `gather` leave its indices where they are. The stock kernel reads every one to check it, which TensorFlow does itself on a CPU; on a GPU that reads zeros
 * for those out of range, the stock kernel stays.
 */
export function registerGather(engine: string, onGpu: boolean): void {
  const stock = getKernel(NAME, engine) as KernelConfig | undefined;
  if (onGpu || stock === undefined) return;
  unregisterKernel(NAME, engine);
  registerKernel({ ...stock, kernelFunc: gather });
}
