// Shapes: x [...,C]; mean, variance, offset and scale [C].
import { type FusedBatchNormAttrs, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';
import { addressOf, nativeOf } from '../native.js';
import { withScratch } from '../scratch.js';

type Inputs = { x: TensorInfo; mean: TensorInfo; variance: TensorInfo; offset: TensorInfo; scale: TensorInfo };

/** Batch norm with given statistics, one for each channel; other shapes are left to the stock kernel, which takes six times as long. */
export const batchNorm = wasmKernel<Inputs, FusedBatchNormAttrs>('FusedBatchNorm', ({ inputs, attrs: { varianceEpsilon }, backend }) => {
  const { x, mean, variance } = inputs;
  const { offset, scale } = inputs as Partial<Inputs>;
  const width = x.shape.at(-1)!;
  const parameters = [mean, variance, offset, scale].filter((parameter) => parameter !== undefined && parameter !== null);
  if (!parameters.every(({ shape }) => shape.length === 1 && shape[0] === width)) return undefined;
  return withScratch(backend, (scratch) => {
    const out = scratch.make(x.shape);
    const factor = scratch.make([width]);
    const shift = offset ?? scratch.zeros([width]);
    const factors = backend.typedArrayFromHeap(factor);
    const variances = backend.typedArrayFromHeap(variance);
    const scales = scale && backend.typedArrayFromHeap(scale);
    for (let c = 0; c < width; c++) factors[c] = (scales?.[c] ?? 1) / Math.sqrt(variances[c]! + varianceEpsilon);
    const rows = util.sizeFromShape(x.shape.slice(0, -1));
    nativeOf(backend).normalizeRows(addressOf(backend, x), addressOf(backend, mean), addressOf(backend, factor), addressOf(backend, shift), addressOf(backend, out), rows, width);
    return out;
  });
});
