import { type SumAttrs, type SumInputs, type TensorInfo, backend_util, util } from '@tensorflow/tfjs-core';
import { type KernelCall, wasmKernel } from '../kernel.js';
import { addressOf, nativeOf } from '../native.js';
import { withScratch } from '../scratch.js';

/** `[outer, reduced, inner]` of a reduction over consecutive axes; `undefined` if kept axes lie between them. */
function asMiddle(shape: readonly number[], axes: readonly number[]): { outer: number; reduced: number; inner: number } | undefined {
  const wide = axes.filter((axis) => shape[axis] !== 1).sort((a, b) => a - b);
  const [first = 0, last = first - 1] = [wide[0], wide.at(-1)];
  const between = shape.slice(first, last + 1).filter((size) => size !== 1).length;
  if (between !== wide.length) return undefined;
  const size = (from: number, to: number): number => util.sizeFromShape(shape.slice(from, to));
  return { outer: size(0, first), reduced: size(first, last + 1), inner: size(last + 1, shape.length) };
}

function reduce({ inputs: { x }, attrs: { axis, keepDims }, backend }: KernelCall<SumInputs, SumAttrs>, average: boolean): TensorInfo | undefined {
  if (x.dtype !== 'float32') return undefined;
  const axes = util.parseAxisParam(axis, x.shape);
  const sizes = asMiddle(x.shape, axes);
  if (sizes === undefined) return undefined;
  const [kept] = backend_util.computeOutAndReduceShapes(x.shape, axes);
  const { outer, reduced, inner } = sizes;
  return withScratch(backend, (scratch) => {
    const out = scratch.make(keepDims ? backend_util.expandShapeToKeepDim(kept, axes) : kept);
    const totals = scratch.make([2 * inner]);
    nativeOf(backend).sum(addressOf(backend, x), addressOf(backend, out), addressOf(backend, totals), outer, reduced, inner, average ? 1 / reduced : 1);
    return out;
  });
}

/** Sum over consecutive axes; the stock kernel transposes first. Adds short runs in single and their sums in double precision. */
export const sum = wasmKernel<SumInputs, SumAttrs>('Sum', (call) => reduce(call, false));

/** Mean over consecutive axes, see {@link sum}. */
export const mean = wasmKernel<SumInputs, SumAttrs>('Mean', (call) => reduce(call, true));
