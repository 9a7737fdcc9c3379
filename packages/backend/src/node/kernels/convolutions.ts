// Convolutions with every padding, layout and dilation that tfjs has. TensorFlow's CPU kernels compute over `[B,H,W,C]` alone; gradients know no dilation.
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import type { Attribute } from '../attributes.js';
import { DTYPES, int, text, type } from './attribute.js';
import { type TensorflowKernel, tensorflowKernel } from './kernel.js';
import { type Node, type Operations, compute, pad, pick, reshape, slice, transpose } from './operations.js';
import { type Axis, type WindowAttributes, convolutionAxes, crop, reach, uncrop } from './window.js';

type Pair = [number, number];

export interface ConvolutionAttributes extends WindowAttributes {
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly dilations?: number | Pair;
}

const TO_NHWC = [0, 2, 3, 1];
const TO_NCHW = [0, 3, 1, 2];
const lastOf = <T>([batch, channels, height, width]: readonly T[]): T[] => [batch!, height!, width!, channels!];

function attributesOf(axes: readonly Axis[], padding: ConvolutionAttributes['pad'], dilate: boolean, dtype: DataType): Attribute[] {
  const over = (value: (axis: Axis) => number) => [1, ...axes.map(value), 1];
  return [
    type('T', DTYPES[dtype]),
    int('strides', over(({ stride }) => stride)),
    text('padding', typeof padding === 'string' ? padding.toUpperCase() : 'EXPLICIT'),
    int('explicit_paddings', typeof padding === 'string' ? [] : [0, 0, ...axes.flatMap(({ before, after }) => [before, after]), 0, 0]),
    text('data_format', 'NHWC'),
    int('dilations', dilate ? over(({ dilation }) => dilation) : [1, 1, 1, 1]),
  ];
}

/** Puts zeros between the taps of a filter `[Kh,Kw,…]`. */
function stretch(tf: Operations, filter: Node, axes: readonly Axis[]): Node {
  if (axes.every(({ dilation }) => dilation === 1)) return filter;
  const [kh, kw, ...channels] = filter.shape as [number, number, ...number[]];
  const [dh, dw] = axes.map(({ dilation }) => dilation) as Pair;
  const stuffed = pad(tf, reshape(tf, filter, [kh, 1, kw, 1, -1]), [[0, 0], [0, dh - 1], [0, 0], [0, dw - 1], [0, 0]]);
  return slice(tf, reshape(tf, stuffed, [kh * dh, kw * dw, ...channels]), [0, 0, 0, 0], [...axes.map(reach), ...channels]);
}

/** Computes with `[B,H,W,C]` where tfjs has `[B,C,H,W]`. */
function inNHWC(attrs: ConvolutionAttributes) {
  const first = attrs.dataFormat === 'NCHW';
  return {
    attrs: first && Array.isArray(attrs.pad) ? { ...attrs, pad: lastOf(attrs.pad) as typeof attrs.pad } : attrs,
    shape: (shape: readonly number[]) => (first ? lastOf(shape) : shape),
    input: (tf: Operations, tensor: TensorInfo) => (first ? transpose(tf, tf.input(tensor), TO_NHWC) : tf.input(tensor)),
    output: (tf: Operations, node: Node) => (first ? transpose(tf, node, TO_NCHW) : node),
  };
}

/** The convolution itself; `name` is TensorFlow's operation. */
export function convolve(tf: Operations, name: 'Conv2D' | 'DepthwiseConv2dNative', x: TensorInfo, filter: TensorInfo, attrs: ConvolutionAttributes): Node {
  const layout = inNHWC(attrs);
  const axes = convolutionAxes(layout.shape(x.shape), filter.shape, layout.attrs, attrs.dilations ?? 1, name !== 'Conv2D');
  const y = tf.run(name, attributesOf(axes, attrs.pad, true, x.dtype), [layout.input(tf, x), tf.input(filter)]);
  return layout.output(tf, crop(tf, y, axes));
}

/** Whether the stock kernel does the same, with less to prepare. */
export const isStock = ({ pad: padding, dataFormat = 'NHWC' }: ConvolutionAttributes): boolean => typeof padding === 'string' && dataFormat === 'NHWC';
const isDilated = ({ dilations = 1 }: ConvolutionAttributes): boolean => Math.max(...[dilations].flat()) > 1;

function kernelsOf(name: 'Conv2D' | 'DepthwiseConv2dNative'): TensorflowKernel[] {
  const depthwise = name !== 'Conv2D';
  return [
    tensorflowKernel<Record<'x' | 'filter', TensorInfo>, ConvolutionAttributes>(name, ({ inputs: { x, filter }, attrs, engine }) =>
      isStock(attrs) ? undefined : compute(engine, (tf) => [convolve(tf, name, x, filter, attrs)])[0],
    ),
    tensorflowKernel<Record<'dy' | 'filter', TensorInfo>, ConvolutionAttributes & { inputShape: number[] }>(`${name}BackpropInput`, ({ inputs: { dy, filter }, attrs, engine }) => {
      if (isStock(attrs) && !isDilated(attrs)) return undefined;
      const layout = inNHWC(attrs);
      const shape = layout.shape(attrs.inputShape);
      const axes = convolutionAxes(shape, filter.shape, layout.attrs, attrs.dilations ?? 1, depthwise, layout.shape(dy.shape));
      return compute(engine, (tf) => {
        const inputs = [tf.ints(shape), stretch(tf, tf.input(filter), axes), uncrop(tf, layout.input(tf, dy), axes)];
        return [layout.output(tf, tf.run(`${name}BackpropInput`, attributesOf(axes, attrs.pad, false, 'float32'), inputs))];
      })[0];
    }),
    tensorflowKernel<Record<'x' | 'dy', TensorInfo>, ConvolutionAttributes & { filterShape: number[] }>(`${name}BackpropFilter`, ({ inputs: { x, dy }, attrs, engine }) => {
      if (isStock(attrs) && !isDilated(attrs)) return undefined;
      const layout = inNHWC(attrs);
      const axes = convolutionAxes(layout.shape(x.shape), attrs.filterShape, layout.attrs, attrs.dilations ?? 1, depthwise, layout.shape(dy.shape));
      const stretched = [...axes.map(reach), ...attrs.filterShape.slice(2)];
      return compute(engine, (tf) => {
        const inputs = [layout.input(tf, x), tf.ints(stretched), uncrop(tf, layout.input(tf, dy), axes)];
        const dFilter = tf.run(`${name}BackpropFilter`, attributesOf(axes, attrs.pad, false, 'float32'), inputs);
        return [isDilated(attrs) ? pick(tf, dFilter, [...axes.map(({ dilation }) => dilation), 1, 1]) : dFilter];
      })[0];
    }),
  ];
}

export const CONVOLUTION_KERNELS: readonly TensorflowKernel[] = [...kernelsOf('Conv2D'), ...kernelsOf('DepthwiseConv2dNative')];
