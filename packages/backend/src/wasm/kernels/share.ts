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

/** Cast to the type that the tensor has already; the stock kernel copies. */
export const cast = wasmKernel<CastInputs, CastAttrs>('Cast', ({ inputs: { x }, attrs: { dtype }, backend }) => (x.dtype === dtype ? share(backend, x) : undefined));
