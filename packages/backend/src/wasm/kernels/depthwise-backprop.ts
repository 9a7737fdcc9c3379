// Shapes: x [B,H,W,C], dy [B,H',W',C·M], filter [Kh,Kw,C,M].
import {
  type DepthwiseConv2dNativeBackpropFilterAttrs,
  type DepthwiseConv2dNativeBackpropFilterInputs,
  type DepthwiseConv2dNativeBackpropInputAttrs,
  type DepthwiseConv2dNativeBackpropInputInputs,
  backend_util,
} from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';
import { addressOf, nativeOf } from '../native.js';
import { makeZeros } from '../scratch.js';

type Shape4D = [number, number, number, number];
type Geometry = Pick<DepthwiseConv2dNativeBackpropInputAttrs, 'strides' | 'dilations' | 'pad' | 'dimRoundingMode'>;

/** The integer arguments that both gradients share. */
function geometry(inputShape: Shape4D, filterShape: Shape4D, { strides, dilations, pad, dimRoundingMode }: Geometry) {
  const info = backend_util.computeConv2DInfo(inputShape, filterShape, strides, dilations, pad, dimRoundingMode, true);
  return [
    info.batchSize, info.inHeight, info.inWidth, info.inChannels, filterShape[3], info.outHeight, info.outWidth, info.filterHeight, info.filterWidth,
    info.strideHeight, info.strideWidth, info.dilationHeight, info.dilationWidth, info.padInfo.top, info.padInfo.left,
  ] as const;
}

/** Input gradient of a depthwise convolution; tfjs' wasm engine has none. */
export const depthwiseBackpropInput = wasmKernel<DepthwiseConv2dNativeBackpropInputInputs, DepthwiseConv2dNativeBackpropInputAttrs>(
  'DepthwiseConv2dNativeBackpropInput',
  ({ inputs: { dy, filter }, attrs, backend }) => {
    const sizes = geometry(attrs.inputShape, filter.shape as Shape4D, attrs);
    const dx = makeZeros(backend, attrs.inputShape);
    nativeOf(backend).depthwiseGradients(0, addressOf(backend, dy), addressOf(backend, filter), addressOf(backend, dx), 0, ...sizes);
    return dx;
  },
);

/** Filter gradient of a depthwise convolution; tfjs' wasm engine has none. */
export const depthwiseBackpropFilter = wasmKernel<DepthwiseConv2dNativeBackpropFilterInputs, DepthwiseConv2dNativeBackpropFilterAttrs>(
  'DepthwiseConv2dNativeBackpropFilter',
  ({ inputs: { x, dy }, attrs, backend }) => {
    const sizes = geometry(x.shape as Shape4D, attrs.filterShape, attrs);
    const dw = makeZeros(backend, attrs.filterShape);
    nativeOf(backend).depthwiseGradients(addressOf(backend, x), addressOf(backend, dy), 0, 0, addressOf(backend, dw), ...sizes);
    return dw;
  },
);
