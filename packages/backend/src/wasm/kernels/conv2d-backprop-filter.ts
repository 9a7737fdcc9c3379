// Shapes: x [B,H,W,Ci], dy [B,H',W',Co], filter [Kh,Kw,Ci,Co].
import { type Conv2DBackpropFilterAttrs, type Conv2DBackpropFilterInputs, backend_util } from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';
import { addressOf, nativeOf } from '../native.js';
import { withScratch } from '../scratch.js';

/** Filter gradient of a convolution; tfjs' wasm engine has none. Sums outer products of x and dy tap by tap. */
export const conv2dBackpropFilter = wasmKernel<Conv2DBackpropFilterInputs, Conv2DBackpropFilterAttrs>(
  'Conv2DBackpropFilter',
  ({ inputs: { x, dy }, attrs: { strides, pad, dataFormat, dimRoundingMode, filterShape }, backend }) => {
    const format = backend_util.convertConv2DDataFormat(dataFormat);
    const info = backend_util.computeConv2DInfo(x.shape as Shape4D, filterShape, strides, 1, pad, dimRoundingMode, false, format);
    return withScratch(backend, (scratch) => {
      const channelsLast = format === 'channelsLast';
      const inputs = channelsLast ? x : scratch.transpose(x, [0, 2, 3, 1]);
      const slopes = channelsLast ? dy : scratch.transpose(dy, [0, 2, 3, 1]);
      const dw = scratch.zeros(filterShape);
      nativeOf(backend).conv2dFilterGradient(
        addressOf(backend, inputs), addressOf(backend, slopes), addressOf(backend, dw),
        info.batchSize, info.inHeight, info.inWidth, info.inChannels, info.outHeight, info.outWidth, info.outChannels, info.filterHeight, info.filterWidth,
        info.strideHeight, info.strideWidth, 1, 1, info.padInfo.top, info.padInfo.left,
      );
      return dw;
    });
  },
);

type Shape4D = [number, number, number, number];
