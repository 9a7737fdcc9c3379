import { type EinsumAttrs, type TensorInfo, backend_util } from '@tensorflow/tfjs-core';
import { tensorflowKernel } from './kernel.js';

/** Refuses what tfjs refuses, some of which TensorFlow computes into something else: an output axis that no input has, an axis twice in an input. */
export const einsum = tensorflowKernel<readonly TensorInfo[], EinsumAttrs>('Einsum', ({ inputs, attrs: { equation } }) => {
  backend_util.decodeEinsumEquation(equation, inputs.length);
  return undefined;
});
