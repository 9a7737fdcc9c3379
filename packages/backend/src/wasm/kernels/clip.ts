import { type ClipByValueAttrs, type ClipByValueInputs, util } from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';
import { addressOf, nativeOf } from '../native.js';

/** Values kept within limits. NaN stays NaN, as on every other engine; the stock kernel hides it behind the lower limit, and takes int32 for float32. */
export const clip = wasmKernel<ClipByValueInputs, ClipByValueAttrs>('ClipByValue', ({ inputs: { x }, attrs: { clipValueMin: low, clipValueMax: high }, backend }) => {
  const out = backend.makeOutput(x.shape, x.dtype);
  if (x.dtype === 'float32') {
    nativeOf(backend).clip(addressOf(backend, x), addressOf(backend, out), util.sizeFromShape(x.shape), low, high);
  } else {
    const values = backend.typedArrayFromHeap(out);
    backend.typedArrayFromHeap(x).forEach((value, i) => (values[i] = Math.min(Math.max(value, low), high)));
  }
  return out;
});
