// Pooling with padding in numbers, of which TensorFlow has only that of two-dimensional maxima, narrower than the window. The stock kernels do 'same' and 'valid'.
import type { MaxPoolWithArgmaxAttrs, MaxPoolWithArgmaxInputs, TensorInfo } from '@tensorflow/tfjs-core';
import { BackendError } from '@moe/core';
import type { Attribute } from '../attributes.js';
import { TYPES } from '../types.js';
import { bool, int, text, type } from './attribute.js';
import { type TensorflowKernel, composedKernels, tensorflowKernel } from './kernel.js';
import { type Engine, type Node, type Operations, compute, pad, slice } from './operations.js';
import { type Axis, type WindowAttributes, crop, poolingAxes, uncrop } from './window.js';

interface PoolingAttributes extends WindowAttributes {
  readonly filterSize: number | [number, number];
}

const over = (axes: readonly Axis[], value: (axis: Axis) => number): number[] => [1, ...axes.map(value), 1];
const paddingsOf = (axes: readonly Axis[]): [number, number][] => [[0, 0], ...axes.map(({ before, after }): [number, number] => [before, after]), [0, 0]];

const attributesOf = (axes: readonly Axis[], dtype: number, padding = 'VALID'): Attribute[] => [
  type('T', dtype),
  int('ksize', over(axes, ({ taps }) => taps)),
  int('strides', over(axes, ({ stride }) => stride)),
  text('padding', padding),
  text('data_format', axes.length === 2 ? 'NHWC' : 'NDHWC'),
];

/** Below every number of a type. */
const lowest = (dtype: number): number => (dtype === TYPES.TF_INT32 ? -(2 ** 31) : -Infinity);

/** How much of every window lies on the input, `[1,…,1]`, from what is left of ones in the mean over it. */
function coverage(tf: Operations, name: string, axes: readonly Axis[]): Node {
  const size = over(axes, (axis) => axis.size);
  const ones = tf.run('Fill', [type('T', TYPES.TF_FLOAT), type('index_type', TYPES.TF_INT32)], [tf.ints(size), tf.scalar(1, TYPES.TF_FLOAT)]);
  return tf.run(name, attributesOf(axes, TYPES.TF_FLOAT), [pad(tf, ones, paddingsOf(axes))]);
}

/** Zero for a window that has nothing of the input. */
const divide = (tf: Operations, x: Node, y: Node): Node => tf.run('DivNoNan', [type('T', TYPES.TF_FLOAT)], [x, y]);

/** Mean over what a window has of the input, as the engine `cpu` defines it. */
function mean(tf: Operations, name: string, x: Node, axes: readonly Axis[]): Node {
  return divide(tf, tf.run(name, attributesOf(axes, x.dtype), [pad(tf, x, paddingsOf(axes))]), coverage(tf, name, axes));
}

/** Gradient of the mean: what `cpu` returns divides by the whole window, which is the gradient of another function. */
function meanGradient(tf: Operations, name: string, dy: Node, input: Node, axes: readonly Axis[]): Node {
  const paddings = paddingsOf(axes);
  const padded = input.shape.map((size, i) => size + paddings[i]![0] + paddings[i]![1]);
  const dx = tf.run(`${name}Grad`, attributesOf(axes, dy.dtype), [tf.ints(padded), divide(tf, uncrop(tf, dy, axes), coverage(tf, name, axes))]);
  return slice(tf, dx, paddings.map(([before]) => before), input.shape);
}

/** Padding that two-dimensional maxima take as an attribute. */
const isNative = (axes: readonly Axis[]): boolean => axes.length === 2 && axes.every(({ before, after, taps }) => before < taps && after < taps);
const explicit = (axes: readonly Axis[], dtype: number): Attribute[] => [...attributesOf(axes, dtype, 'EXPLICIT'), int('explicit_paddings', paddingsOf(axes).flat())];

function maximum(tf: Operations, name: string, x: Node, axes: readonly Axis[]): Node {
  if (isNative(axes)) return tf.run(name, explicit(axes, x.dtype), [x]);
  return tf.run(name, attributesOf(axes, x.dtype), [pad(tf, x, paddingsOf(axes), lowest(x.dtype))]);
}

function maximumGradient(tf: Operations, name: string, [input, ...results]: [Node, Node, Node], axes: readonly Axis[]): Node {
  const [output, dy] = results.map((result) => uncrop(tf, result, axes)) as [Node, Node];
  if (isNative(axes)) return tf.run(`${name}Grad`, explicit(axes, dy.dtype), [input, output, dy]);
  const paddings = paddingsOf(axes);
  const attributes = [...attributesOf(axes, dy.dtype), ...(axes.length === 3 ? [type('TInput', input.dtype)] : [])];
  const dx = tf.run(`${name}Grad`, attributes, [pad(tf, input, paddings, lowest(input.dtype)), output, dy]);
  return slice(tf, dx, paddings.map(([before]) => before), input.shape);
}

const forward = (engine: Engine, x: TensorInfo, attrs: PoolingAttributes, pool: (tf: Operations, x: Node, axes: readonly Axis[]) => Node): TensorInfo | undefined =>
  compute(engine, (tf) => {
    const axes = poolingAxes(x, attrs.filterSize, attrs);
    return [crop(tf, pool(tf, tf.input(x), axes), axes)];
  })[0];

const isNamed = ({ pad: padding }: PoolingAttributes): boolean => typeof padding === 'string';

function kernelsOf(suffix: '' | '3D'): TensorflowKernel[] {
  const [avg, max] = [`AvgPool${suffix}`, `MaxPool${suffix}`];
  return [
    tensorflowKernel<{ x: TensorInfo }, PoolingAttributes>(avg, ({ inputs: { x }, attrs, engine }) =>
      isNamed(attrs) ? undefined : forward(engine, x, attrs, (tf, $x, axes) => mean(tf, avg, $x, axes)),
    ),
    tensorflowKernel<{ x: TensorInfo }, PoolingAttributes>(max, ({ inputs: { x }, attrs, engine }) =>
      isNamed(attrs) ? undefined : forward(engine, x, attrs, (tf, $x, axes) => maximum(tf, max, $x, axes)),
    ),
    tensorflowKernel<Record<'dy' | 'input', TensorInfo>, PoolingAttributes>(`${avg}Grad`, ({ inputs: { dy, input }, attrs, engine }) =>
      isNamed(attrs) ? undefined : compute(engine, (tf) => [meanGradient(tf, avg, tf.input(dy), tf.input(input), poolingAxes(input, attrs.filterSize, attrs, dy.shape))])[0],
    ),
    tensorflowKernel<Record<'dy' | 'input' | 'output', TensorInfo>, PoolingAttributes>(`${max}Grad`, ({ inputs: { dy, input, output }, attrs, engine }) =>
      isNamed(attrs)
        ? undefined
        : compute(engine, (tf) => [maximumGradient(tf, max, [tf.input(input), tf.input(output), tf.input(dy)], poolingAxes(input, attrs.filterSize, attrs, dy.shape))])[0],
    ),
  ];
}

const withoutNaN = (tf: Operations, x: Node): Node =>
  tf.run('SelectV2', [type('T', x.dtype)], [tf.run('IsNan', [type('T', x.dtype)], [x]), tf.scalar(lowest(x.dtype), x.dtype), x]);

/** Maxima and their places, counted in the input; NaN is not among them. */
const maxPoolWithArgmax = composedKernels<MaxPoolWithArgmaxInputs, MaxPoolWithArgmaxAttrs>('MaxPoolWithArgmax', (tf, { x }, { filterSize, strides, pad: padding, includeBatchInIndex }) => {
  const named = typeof padding === 'string';
  const axes = poolingAxes(x, filterSize, { strides, pad: padding });
  if (!named && axes.some(({ before, after }) => before + after > 0)) throw new BackendError(`maxPoolWithArgmax: pad must be 'same', 'valid' or 0 on this engine, got ${padding}.`);
  const $x = tf.input(x);
  const attributes = [...attributesOf(axes, $x.dtype, named ? (padding as string).toUpperCase() : 'VALID').slice(0, -1), type('Targmax', TYPES.TF_INT32), bool('include_batch_in_index', includeBatchInIndex)];
  const numbers = $x.dtype === TYPES.TF_FLOAT ? withoutNaN(tf, $x) : $x;
  return tf.runAll('MaxPoolWithArgmax', attributes, [numbers], 2);
});

export const POOLING_KERNELS: readonly TensorflowKernel[] = [...kernelsOf(''), ...kernelsOf('3D'), maxPoolWithArgmax];
