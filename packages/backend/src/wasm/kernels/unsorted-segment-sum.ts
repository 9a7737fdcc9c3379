import { type UnsortedSegmentSumAttrs, type UnsortedSegmentSumInputs, util } from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';
import { addressOf, nativeOf } from '../native.js';
import { makeZeros } from '../scratch.js';

/** Sums of rows by segment `[N, …] → [numSegments, …]`, the gradient of gather; tfjs' wasm engine has none. */
export const unsortedSegmentSum = wasmKernel<UnsortedSegmentSumInputs, UnsortedSegmentSumAttrs>(
  'UnsortedSegmentSum',
  ({ inputs: { x, segmentIds }, attrs: { numSegments }, backend }) => {
    const [rows = 0, ...rest] = x.shape;
    const width = util.sizeFromShape(rest);
    const out = makeZeros(backend, [numSegments, ...rest], x.dtype);
    if (x.dtype === 'float32') {
      nativeOf(backend).addToSegments(addressOf(backend, x), addressOf(backend, segmentIds), addressOf(backend, out), rows, width, numSegments);
      return out;
    }
    const values = backend.typedArrayFromHeap(x);
    const segments = backend.typedArrayFromHeap(segmentIds);
    const sums = backend.typedArrayFromHeap(out);
    for (let i = 0; i < rows; i++) {
      const segment = segments[i]!;
      if (segment < 0 || segment >= numSegments) continue;
      for (let q = 0; q < width; q++) sums[segment * width + q]! += values[i * width + q]!;
    }
    return out;
  },
);
