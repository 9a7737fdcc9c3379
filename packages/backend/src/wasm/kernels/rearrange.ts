// Kernels that only move values about: every one is a copy between two layouts.
import {
  type BroadCastToAttrs,
  type BroadcastToInputs,
  type ReverseAttrs,
  type ReverseInputs,
  type SliceAttrs,
  type SliceInputs,
  type SplitVAttrs,
  type SplitVInputs,
  type StridedSliceAttrs,
  type StridedSliceInputs,
  type Tensor,
  type TensorInfo,
  type TileAttrs,
  type TileInputs,
  backend_util,
  slice_util,
  util,
} from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { wasmKernel } from '../kernel.js';
import { broadcastStrides, denseStrides, joinLoops } from '../layout.js';
import { addressOf, nativeOf } from '../native.js';

const hasWideValues = ({ dtype }: TensorInfo): boolean => dtype !== 'string' && util.bytesPerElement(dtype) === 4;

/** Values of `x` from `offset` on, in steps of `strides`, as a new tensor of shape `shape`. */
function copyFrom(backend: BackendWasm, x: TensorInfo, offset: number, shape: readonly number[], strides: readonly number[]): TensorInfo | undefined {
  const loops = joinLoops(shape, [strides, denseStrides(shape)]);
  if (loops === undefined) return undefined;
  const out = backend.makeOutput([...shape], x.dtype);
  const [from, to] = loops.strides;
  nativeOf(backend).copyStrided(addressOf(backend, x) + 4 * offset, addressOf(backend, out), ...loops.sizes, ...from!, ...to!);
  return out;
}

const offsetOf = (begin: readonly number[], strides: readonly number[]): number => begin.reduce((total, index, axis) => total + index * strides[axis]!, 0);

/** A box out of a tensor; the stock kernel first reads all of it, and crawls from rank 5 on. */
export const slice = wasmKernel<SliceInputs, SliceAttrs>('Slice', ({ inputs: { x }, attrs: { begin, size }, backend }) => {
  if (!hasWideValues(x)) return undefined;
  const [from, sizes] = slice_util.parseSliceParams(x, begin, size);
  slice_util.assertParamsValid(x as never, from!, sizes!);
  const strides = denseStrides(x.shape);
  return copyFrom(backend, x, offsetOf(from!, strides), sizes!, strides);
});

/** A tensor cut along an axis; the stock kernel first reads all of it for each piece. */
export const split = wasmKernel<SplitVInputs, SplitVAttrs>('SplitV', ({ inputs: { x }, attrs: { numOrSizeSplits, axis }, backend }) => {
  if (!hasWideValues(x)) return undefined;
  const [along] = util.parseAxisParam(axis, x.shape) as [number];
  const [outer, inner] = [util.sizeFromShape(x.shape.slice(0, along)), util.sizeFromShape(x.shape.slice(along + 1))];
  let begin = 0;
  return backend_util.prepareSplitSize(x as Tensor, numOrSizeSplits, along).map((size) => {
    const piece = copyFrom(backend, x, begin * inner, [outer, size, inner], [x.shape[along]! * inner, inner, 1]);
    begin += size;
    return { ...piece!, shape: x.shape.map((whole, i) => (i === along ? size : whole)) };
  });
});

/** Every so-manieth value; the stock kernel goes value by value. */
export const stridedSlice = wasmKernel<StridedSliceInputs, StridedSliceAttrs>('StridedSlice', ({ inputs: { x }, attrs, backend }) => {
  if (!hasWideValues(x)) return undefined;
  const info = slice_util.sliceInfo(x.shape, attrs.begin, attrs.end, attrs.strides, attrs.beginMask, attrs.endMask, attrs.ellipsisMask, attrs.newAxisMask, attrs.shrinkAxisMask);
  const strides = denseStrides(x.shape);
  const shape = slice_util.computeOutShape(info.begin, info.end, info.strides);
  const out = copyFrom(backend, x, offsetOf(info.begin, strides), shape, strides.map((stride, axis) => stride * info.strides[axis]!));
  return out && { ...out, shape: info.finalShape };
});

/** Backwards along some axes; the stock kernel goes value by value. */
export const reverse = wasmKernel<ReverseInputs, ReverseAttrs>('Reverse', ({ inputs: { x }, attrs: { dims }, backend }) => {
  if (!hasWideValues(x) || util.sizeFromShape(x.shape) === 0) return undefined;
  const axes = util.parseAxisParam(dims, x.shape);
  const strides = denseStrides(x.shape);
  const last = x.shape.map((size, axis) => (axes.includes(axis) ? size - 1 : 0));
  return copyFrom(backend, x, offsetOf(last, strides), x.shape, strides.map((stride, axis) => (axes.includes(axis) ? -stride : stride)));
});

/** A tensor repeated along its axes, as `broadcastTo` needs it; the stock kernel goes value by value. */
export const tile = wasmKernel<TileInputs, TileAttrs>('Tile', ({ inputs: { x }, attrs: { reps }, backend }) => {
  if (!hasWideValues(x)) return undefined;
  const strides = denseStrides(x.shape);
  const shape = x.shape.flatMap((size, axis) => [reps[axis]!, size]);
  const out = copyFrom(backend, x, 0, shape, strides.flatMap((stride) => [0, stride]));
  return out && { ...out, shape: x.shape.map((size, axis) => size * reps[axis]!) };
});

/** A tensor repeated to a larger shape, as gradients of reductions need it; stock tfjs has no such kernel on wasm. */
export const broadcastTo = wasmKernel<BroadcastToInputs, BroadCastToAttrs>('BroadcastTo', ({ inputs: { x }, attrs: { shape }, backend }) =>
  hasWideValues(x) ? copyFrom(backend, x, 0, shape, broadcastStrides(x.shape, shape)) : undefined,
);
