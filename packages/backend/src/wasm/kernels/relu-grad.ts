import { type LeakyReluAttrs, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';
import { addressOf, nativeOf } from '../native.js';

type Inputs = { dy: TensorInfo; features: TensorInfo };

/** Gradient of a ReLU whose slope is `alpha` at and below 0; tfjs composes it of a step and a product. */
const gradientOf = (kernelName: string) =>
  wasmKernel<Inputs, Partial<LeakyReluAttrs>>(kernelName, ({ inputs: { dy, features }, attrs: { alpha = 0 }, backend }) => {
    const out = backend.makeOutput(dy.shape, 'float32');
    nativeOf(backend).reluGradient(addressOf(backend, dy), addressOf(backend, features), addressOf(backend, out), util.sizeFromShape(dy.shape), alpha);
    return out;
  });

export const reluGrad = gradientOf('ReluGrad');
export const leakyReluGrad = gradientOf('LeakyReluGrad');
