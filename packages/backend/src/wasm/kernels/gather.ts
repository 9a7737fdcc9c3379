import { type GatherV2Attrs, type GatherV2Inputs, backend_util, util } from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';
import { addressOf, nativeOf } from '../native.js';

/** Rows (or slices along any axis) by index; the stock kernel goes value by value. Batched indices are left to it. */
export const gather = wasmKernel<GatherV2Inputs, GatherV2Attrs>('GatherV2', ({ inputs: { x, indices }, attrs: { axis, batchDims }, backend }) => {
  if (batchDims !== 0 || indices.dtype !== 'int32' || x.dtype === 'string' || util.bytesPerElement(x.dtype) !== 4) return undefined;
  const [along] = util.parseAxisParam(axis, x.shape) as [number];
  const size = x.shape[along]!;
  const count = util.sizeFromShape(indices.shape);
  for (const index of backend.typedArrayFromHeap(indices)) {
    if (index < 0 || index >= size) throw new Error(`GatherV2: the index value ${index} is not in [0, ${size - 1}]`);
  }
  const { outputShape, outerSize, sliceSize } = backend_util.segment_util.collectGatherOpShapeInfo(x as never, indices as never, along, 0);
  const out = backend.makeOutput(outputShape, x.dtype);
  nativeOf(backend).gatherBlocks(addressOf(backend, x), addressOf(backend, indices), addressOf(backend, out), outerSize, size, count, sliceSize);
  return out;
});
