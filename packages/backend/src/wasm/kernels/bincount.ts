import type { BincountAttrs, BincountInputs } from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';
import { runReference } from '../reference.js';

/** How often each number occurs; of a matrix, the stock kernel counts every row for itself. */
export const bincount = wasmKernel<BincountInputs, BincountAttrs>('Bincount', ({ inputs, attrs: { size }, backend }) =>
  inputs.x.shape.length === 1 ? undefined : runReference('Bincount', { inputs, attrs: { size }, backend }),
);
