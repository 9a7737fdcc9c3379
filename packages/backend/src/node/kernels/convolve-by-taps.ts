// Convolutions of few pixels with a large filter, as one matrix product for each tap of the filter.
// Shapes: images [B,H,W,Ci] → [B,H',W',Co], filter [Kh,Kw,Ci,Co].
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { TYPES } from '../types.js';
import { bool, int, type } from './attribute.js';
import type { ConvolutionAttributes } from './convolutions.js';
import { type TensorflowKernel, tensorflowKernel } from './kernel.js';
import { type Engine, type Node, type Operations, compute, reshape } from './operations.js';
import { type TapPlan, tapPlan } from './taps.js';
import { type Axis, convolutionAxes } from './window.js';

type Axes = readonly [Axis, Axis];
type Shape4D = [number, number, number, number];

/**
 * Where the products pay: up to so many pixels of the result, from so many channels. TensorFlow's convolution rearranges its filter at each call, which takes as long as to
 * multiply 70 pixels by it. The products spare that, but move each pixel once for each tap.
 */
const CHANNELS = 512;
const PIXELS = 640;
/** From so many, neighbouring taps make one product: fewer sums, but longer rows to prepare. */
const PIXELS_JOINED = 256;
/** For the gradient of the images: transposed taps take longer. */
const PIXELS_BACK = 448;
/** For the gradient of the filter: TensorFlow's multiplies padding too, a third of the work around 4x4 pixels. The copies of more pixels would take much memory. */
const PIXELS_OF_FILTER = 2048;

/** `BatchMatMulV2` packs a transposed matrix faster than `MatMul` does, and others slower. */
const product = (tf: Operations, x: Node, tap: Node, transpose: boolean): Node =>
  transpose
    ? tf.run('BatchMatMulV2', [type('T', x.dtype), bool('adj_x', false), bool('adj_y', true)], [x, tap])
    : tf.run('MatMul', [type('T', x.dtype), bool('transpose_a', false), bool('transpose_b', false)], [x, tap]);

const splitRows = (tf: Operations, x: Node, counts: readonly number[]): Node[] =>
  counts.length === 1 ? [x] : tf.runAll('SplitV', [type('T', x.dtype), type('Tlen', TYPES.TF_INT32), int('num_split', counts.length)], [x, tf.ints(counts), tf.scalar(0, TYPES.TF_INT32)], counts.length);

const concat = (tf: Operations, parts: readonly Node[]): Node =>
  tf.run('ConcatV2', [type('T', parts[0]!.dtype), type('Tidx', TYPES.TF_INT32), int('N', parts.length)], [...parts, tf.scalar(0, TYPES.TF_INT32)]);

/** Copies pixels `[·,C]`, one row for each index. */
const pickPixels = (tf: Operations, x: Node, pixels: Int32Array): Node =>
  tf.run(
    'GatherV2',
    [int('batch_dims', 0), type('Tparams', x.dtype), type('Tindices', TYPES.TF_INT32), type('Taxis', TYPES.TF_INT32)],
    [reshape(tf, x, [-1, x.shape[3]!]), tf.ints(pixels), tf.scalar(0, TYPES.TF_INT32)],
  );

/** The pixels of each run, `[rows, taps·C]`, without a copy more than {@link pickPixels} makes. */
function pixelsOfRuns(tf: Operations, x: Node, { sources, widths }: TapPlan): Node[] {
  const parts = splitRows(tf, pickPixels(tf, x, sources), widths.map(({ taps, counts }) => taps * counts.reduce((sum, count) => sum + count, 0)));
  return widths.flatMap(({ taps, counts }, i) => splitRows(tf, taps === 1 ? parts[i]! : reshape(tf, parts[i]!, [-1, taps * x.shape[3]!]), counts));
}

/** The part of the filter of each run, `[taps·Ci,Co]`, without a copy. */
function filterOfRuns(tf: Operations, filter: Node, { runs }: TapPlan): Node[] {
  const [kh, kw, ci, co] = filter.shape as Shape4D;
  const matrix = reshape(tf, filter, [kh * kw * ci, co]);
  const parts = new Map<string, Node[]>();
  return runs.map(({ row, column, taps }) => {
    const key = `${column} ${taps}`;
    const ofRows = parts.get(key) ?? splitRows(tf, matrix, Array.from({ length: kh }, () => [column, taps, kw - column - taps].map((width) => width * ci)).flat());
    parts.set(key, ofRows);
    return ofRows[3 * row + 1]!;
  });
}

/** Sums of the products by the pixels that they are part of. */
function multiplyTaps(tf: Operations, x: Node, filter: Node, plan: TapPlan, shape: Shape4D, transpose: boolean): Node {
  const matrices = filterOfRuns(tf, filter, plan);
  const products = pixelsOfRuns(tf, x, plan).map((pixels, run) => product(tf, pixels, matrices[run]!, transpose));
  const sums = tf.run(
    'SparseSegmentSumWithNumSegments',
    [type('T', x.dtype), type('Tidx', TYPES.TF_INT32), type('Tsegmentids', TYPES.TF_INT32), type('Tnumsegments', TYPES.TF_INT32)],
    [concat(tf, products), tf.ints(plan.ordered.rows), tf.ints(plan.ordered.targets), tf.scalar(shape[0] * shape[1] * shape[2], TYPES.TF_INT32)],
  );
  return reshape(tf, sums, shape);
}

/** The gradient of each tap's matrix: the pixels that it meets by the slopes of the pixels that it is part of. */
function multiplyPixels(tf: Operations, x: Node, dy: Node, plan: TapPlan, shape: Shape4D): Node {
  const slopes = splitRows(tf, pickPixels(tf, dy, plan.targets), plan.widths[0]!.counts);
  const taps = pixelsOfRuns(tf, x, plan).map((pixels, tap) =>
    tf.run('MatMul', [type('T', x.dtype), bool('transpose_a', true), bool('transpose_b', false)], [pixels, slopes[tap]!]),
  );
  return reshape(tf, concat(tf, taps), shape);
}

/** Whether a call is one of those that this file takes, by what needs no work to tell. */
const mayTake = (engine: Engine, filter: readonly number[], { dataFormat = 'NHWC' }: ConvolutionAttributes): boolean =>
  dataFormat === 'NHWC' && Math.min(filter[2]!, filter[3]!) >= CHANNELS && filter[0]! * filter[1]! > 1 && !engine.binding.isUsingGpuDevice();

const pixelsOf = (batch: number, [rows, columns]: Axes): number => batch * rows.out * columns.out;

/** In front of the kernels for any convolution. */
export const TAP_KERNELS: readonly TensorflowKernel[] = [
  tensorflowKernel<Record<'x' | 'filter', TensorInfo>, ConvolutionAttributes>('Conv2D', ({ inputs: { x, filter }, attrs, engine }) => {
    if (!mayTake(engine, filter.shape, attrs)) return undefined;
    const [batch] = x.shape as Shape4D;
    const axes = convolutionAxes(x.shape, filter.shape, attrs, attrs.dilations ?? 1, false) as [Axis, Axis];
    if (pixelsOf(batch, axes) > PIXELS) return undefined;
    const plan = tapPlan(batch, axes, 'forwards', pixelsOf(batch, axes) >= PIXELS_JOINED);
    if (plan.runs.length === 0) return undefined;
    const [rows, columns] = axes;
    return compute(engine, (tf) => [multiplyTaps(tf, tf.input(x), tf.input(filter), plan, [batch, rows.out, columns.out, filter.shape[3]!], false)])[0];
  }),
  tensorflowKernel<Record<'dy' | 'filter', TensorInfo>, ConvolutionAttributes & { inputShape: Shape4D }>('Conv2DBackpropInput', ({ inputs: { dy, filter }, attrs, engine }) => {
    if (!mayTake(engine, filter.shape, attrs)) return undefined;
    const [batch] = dy.shape as Shape4D;
    const axes = convolutionAxes(attrs.inputShape, filter.shape, attrs, attrs.dilations ?? 1, false, dy.shape) as [Axis, Axis];
    if (pixelsOf(batch, axes) > PIXELS_BACK) return undefined;
    const plan = tapPlan(batch, axes, 'backwards', false);
    return compute(engine, (tf) => [multiplyTaps(tf, tf.input(dy), tf.input(filter), plan, attrs.inputShape, true)])[0];
  }),
  tensorflowKernel<Record<'x' | 'dy', TensorInfo>, ConvolutionAttributes & { filterShape: Shape4D }>('Conv2DBackpropFilter', ({ inputs: { x, dy }, attrs, engine }) => {
    if (!mayTake(engine, attrs.filterShape, attrs)) return undefined;
    const [batch] = dy.shape as Shape4D;
    const axes = convolutionAxes(x.shape, attrs.filterShape, attrs, attrs.dilations ?? 1, false, dy.shape) as [Axis, Axis];
    if (pixelsOf(batch, axes) > PIXELS_OF_FILTER) return undefined;
    const plan = tapPlan(batch, axes, 'forwards', false);
    return compute(engine, (tf) => [multiplyPixels(tf, tf.input(x), tf.input(dy), plan, attrs.filterShape)])[0];
  }),
];
