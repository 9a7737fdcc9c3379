import { type MaxPoolAttrs, type MaxPoolInputs, type NamedAttrMap, backend_util } from '@tensorflow/tfjs-core';
import { type WasmKernel, wasmKernel } from '../kernel.js';
import { runReference } from '../reference.js';

/** Pooling; for a window that lies in the padding alone, the stock kernels return what happens to lie in memory. */
export const POOLING_KERNELS: readonly WasmKernel[] = ['AvgPool', 'MaxPool'].map((kernelName) =>
  wasmKernel<MaxPoolInputs, MaxPoolAttrs>(kernelName, ({ inputs: { x }, attrs, backend }) => {
    const { filterSize, strides, pad, dimRoundingMode } = attrs;
    const { padInfo, filterHeight, filterWidth } = backend_util.computePool2DInfo(x.shape as [number, number, number, number], filterSize, strides, 1, pad, dimRoundingMode);
    const reaches = Math.max(padInfo.top, padInfo.bottom) < filterHeight && Math.max(padInfo.left, padInfo.right) < filterWidth;
    return reaches ? undefined : runReference(kernelName, { inputs: { x }, attrs: attrs as unknown as NamedAttrMap, backend });
  }),
);
