import type { OneHotAttrs, OneHotInputs } from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';

/** One-hot rows of any type; the stock kernel writes int32 into a float32 result. */
export const oneHot = wasmKernel<OneHotInputs, OneHotAttrs>('OneHot', ({ inputs: { indices }, attrs: { depth, onValue, offValue, dtype }, backend }) => {
  const out = backend.makeOutput([...indices.shape, depth], dtype);
  const values = backend.typedArrayFromHeap(out);
  values.fill(offValue);
  backend.typedArrayFromHeap(indices).forEach((index, row) => {
    if (index >= 0 && index < depth) values[row * depth + index] = onValue;
  });
  return out;
});
