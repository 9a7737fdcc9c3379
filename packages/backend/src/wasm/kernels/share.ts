import type { CastAttrs, CastInputs, IdentityInputs, TensorInfo } from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { wasmKernel } from '../kernel.js';

/** The same memory once more. Tensors never change, so two may share it; the engine counts. */
function share(backend: BackendWasm, { dataId, shape, dtype }: TensorInfo): TensorInfo {
  backend.incRef(dataId);
  return { dataId, shape, dtype };
}

/** Clone; the stock kernel copies, which is a tenth of a training step. */
export const identity = wasmKernel<IdentityInputs, object>('Identity', ({ inputs: { x }, backend }) => share(backend, x));

/** Cast to the type that the tensor has already, which the stock kernel copies, and to bool, where it keeps values above 1. */
export const cast = wasmKernel<CastInputs, CastAttrs>('Cast', ({ inputs: { x }, attrs: { dtype }, backend }) => {
  if (x.dtype === dtype) return share(backend, x);
  if (dtype !== 'bool') return undefined;
  const out = backend.makeOutput(x.shape, 'bool');
  const values = backend.typedArrayFromHeap(out);
  backend.typedArrayFromHeap(x).forEach((value, i) => (values[i] = value === 0 ? 0 : 1));
  return out;
});
