// Complex tensors are made of two real ones and taken apart again; what lies between runs by reference.
import type { ComplexInputs, ImagInputs, RealInputs, TensorInfo } from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { partsOf } from '../complex.js';
import { wasmKernel } from '../kernel.js';

/** Every second of the parts of `input`, from `first` on. */
function takePart(backend: BackendWasm, input: TensorInfo, first: 0 | 1): TensorInfo {
  const out = backend.makeOutput(input.shape, 'float32');
  const values = backend.typedArrayFromHeap(out);
  const parts = partsOf(backend, input);
  for (let i = 0; i < values.length; i++) values[i] = parts[2 * i + first]!;
  return out;
}

export const complex = wasmKernel<ComplexInputs, object>('Complex', ({ inputs: { real, imag }, backend }) => {
  const out = backend.makeOutput(real.shape, 'complex64');
  const parts = partsOf(backend, out);
  backend.typedArrayFromHeap(real).forEach((value, i) => (parts[2 * i] = value));
  backend.typedArrayFromHeap(imag).forEach((value, i) => (parts[2 * i + 1] = value));
  return out;
});

export const real = wasmKernel<RealInputs, object>('Real', ({ inputs: { input }, backend }) => takePart(backend, input, 0));

export const imag = wasmKernel<ImagInputs, object>('Imag', ({ inputs: { input }, backend }) => takePart(backend, input, 1));
