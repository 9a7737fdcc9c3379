// Shapes: input [B,H,W,C], dy and output [B,H',W',C].
import { type MaxPoolGradAttrs, type MaxPoolGradInputs, backend_util } from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';
import { addressOf, nativeOf } from '../native.js';
import { makeZeros } from '../scratch.js';

/** Gradient of max pooling; each slope goes to the first largest value of its window. The stock kernel takes several times as long. */
export const maxPoolGrad = wasmKernel<MaxPoolGradInputs, MaxPoolGradAttrs>(
  'MaxPoolGrad',
  ({ inputs: { dy, input }, attrs: { filterSize, strides, pad, dimRoundingMode }, backend }) => {
    const info = backend_util.computePool2DInfo(input.shape as [number, number, number, number], filterSize, strides, 1, pad, dimRoundingMode);
    const dx = makeZeros(backend, input.shape);
    nativeOf(backend).maxPoolGradient(
      addressOf(backend, input), addressOf(backend, dy), addressOf(backend, dx),
      info.batchSize, info.inHeight, info.inWidth, info.inChannels, info.outHeight, info.outWidth, info.filterHeight, info.filterWidth,
      info.strideHeight, info.strideWidth, info.padInfo.top, info.padInfo.left,
    );
    return dx;
  },
);
