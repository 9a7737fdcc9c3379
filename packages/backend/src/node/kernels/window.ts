import { type TensorInfo, backend_util } from '@tensorflow/tfjs-core';
import { type Node, type Operations, pad, slice } from './operations.js';

/** What a window does along one axis. */
export interface Axis {
  readonly size: number;
  readonly taps: number;
  readonly dilation: number;
  readonly stride: number;
  /** Padding on both sides. */
  readonly before: number;
  readonly after: number;
  /** Size of the result. */
  readonly out: number;
}

type Pair = [number, number];
type Shape4D = [number, number, number, number];
type Shape5D = [number, number, number, number, number];

/** The attributes that convolutions and pooling share, as tfjs gives them to a kernel; three-dimensional ones have triples. */
export interface WindowAttributes {
  readonly strides: number | Pair;
  readonly pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** Extent of a dilated window. */
export const reach = ({ taps, dilation }: Pick<Axis, 'taps' | 'dilation'>): number => (taps - 1) * dilation + 1;

/** A size rounded up reaches beyond the padding that was asked for. */
function axisOf(axis: Omit<Axis, 'out'>, out: number): Axis {
  return { ...axis, out, after: Math.max(axis.after, (out - 1) * axis.stride + reach(axis) - axis.size - axis.before) };
}

/** How many places of the window TensorFlow has beyond those of tfjs, which takes the width of a result padded by a number from the height of the window. */
const surplus = ({ size, before, after, stride, out, ...axis }: Axis): number => Math.floor((size + before + after - reach(axis)) / stride) + 1 - out;

/** Takes the places that tfjs has, `[B,…,C]`. */
export function crop(tf: Operations, y: Node, axes: readonly Axis[]): Node {
  return axes.every((axis) => surplus(axis) === 0) ? y : slice(tf, y, y.shape.map(() => 0), [y.shape[0]!, ...axes.map(({ out }) => out), y.shape.at(-1)!]);
}

/** Undoes {@link crop} with zeros. */
export function uncrop(tf: Operations, dy: Node, axes: readonly Axis[]): Node {
  return axes.every((axis) => surplus(axis) === 0) ? dy : pad(tf, dy, [[0, 0], ...axes.map((axis): [number, number] => [0, surplus(axis)]), [0, 0]]);
}

/** The two axes of a window over `[B,H,W,C]`; `out` is the result, where it is known, else what tfjs gives it. */
function axes2D(info: backend_util.Conv2DInfo, out: readonly number[] = info.outShape): Axis[] {
  const { padInfo } = info;
  return [
    axisOf({ size: info.inHeight, taps: info.filterHeight, dilation: info.dilationHeight, stride: info.strideHeight, before: padInfo.top, after: padInfo.bottom }, out[1]!),
    axisOf({ size: info.inWidth, taps: info.filterWidth, dilation: info.dilationWidth, stride: info.strideWidth, before: padInfo.left, after: padInfo.right }, out[2]!),
  ];
}

/** Axes of a convolution of `[B,H,W,C]` with `[Kh,Kw,…]`. */
export const convolutionAxes = (input: readonly number[], filter: readonly number[], a: WindowAttributes, dilations: number | Pair, depthwise: boolean, out?: readonly number[]): Axis[] =>
  axes2D(backend_util.computeConv2DInfo(input as Shape4D, filter as Shape4D, a.strides, dilations, a.pad, a.dimRoundingMode, depthwise), out);

/** Axes of pooling over `[B,H,W,C]` or `[B,D,H,W,C]`. */
export function poolingAxes({ shape }: TensorInfo, filterSize: number | Pair, a: WindowAttributes, out?: readonly number[]): Axis[] {
  if (shape.length === 4) return axes2D(backend_util.computePool2DInfo(shape as Shape4D, filterSize, a.strides, 1, a.pad, a.dimRoundingMode), out);
  const info = backend_util.computePool3DInfo(shape as Shape5D, filterSize as number, a.strides as number, 1, a.pad as number, a.dimRoundingMode);
  const { padInfo } = info;
  const [, depth, height, width] = out ?? info.outShape;
  return [
    axisOf({ size: info.inDepth, taps: info.filterDepth, dilation: 1, stride: info.strideDepth, before: padInfo.front, after: padInfo.back }, depth!),
    axisOf({ size: info.inHeight, taps: info.filterHeight, dilation: 1, stride: info.strideHeight, before: padInfo.top, after: padInfo.bottom }, height!),
    axisOf({ size: info.inWidth, taps: info.filterWidth, dilation: 1, stride: info.strideWidth, before: padInfo.left, after: padInfo.right }, width!),
  ];
}
