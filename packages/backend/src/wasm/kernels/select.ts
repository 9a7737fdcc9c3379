import { type SelectInputs, util } from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';
import { addressOf, nativeOf } from '../native.js';

/** Chooses between two tensors, value by value (`where`). */
export const select = wasmKernel<SelectInputs, object>('Select', ({ inputs: { condition, t, e }, backend }) => {
  const wide = util.bytesPerElement(t.dtype) === 4 && t.dtype === e.dtype;
  if (!wide || !util.arraysEqual(condition.shape, t.shape)) return undefined;
  const out = backend.makeOutput(t.shape, t.dtype);
  nativeOf(backend).select(addressOf(backend, condition), addressOf(backend, t), addressOf(backend, e), addressOf(backend, out), util.sizeFromShape(t.shape));
  return out;
});
