import type { PreluInputs } from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';
import { withScratch } from '../scratch.js';

/** `x` where positive, else `alpha * x`; the stock kernel takes `alpha` for a vector along the last axis, whatever its shape. */
export const prelu = wasmKernel<PreluInputs, object>('Prelu', ({ inputs: { x, alpha }, backend }) => {
  if (alpha.shape.length === 1 && alpha.shape[0] === x.shape.at(-1)) return undefined;
  return withScratch(backend, (scratch) => {
    const zero = scratch.zeros([]);
    const negative = scratch.run('Multiply', { a: scratch.run('Minimum', { a: x, b: zero }), b: alpha });
    return scratch.run('Add', { a: scratch.run('Maximum', { a: x, b: zero }), b: negative });
  });
});
