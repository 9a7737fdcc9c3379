// Convolutions of few pixels with a large filter, as one matrix product for each tap of the filter.
// Shapes: images [B,H,W,Ci] → [B,H',W',Co], filter [Kh,Kw,Ci,Co].
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { TYPES } from '../types.js';
import { bool, int, type } from './attribute.js';
import type { ConvolutionAttributes } from './convolutions.js';
import { type TensorflowKernel, tensorflowKernel } from './kernel.js';
import { type Engine, type Node, type Operations, compute, reshape } from './operations.js';
import { type Axis, convolutionAxes } from './window.js';

type Axes = readonly [Axis, Axis];
type Shape4D = [number, number, number, number];

/**
 * Where the products pay: up to so many pixels of the result, from so many channels. TensorFlow's convolution rearranges its filter at each call, which takes as long as to
 * multiply 70 pixels by it. The products spare that, but move each pixel once for each tap.
 */
const CHANNELS = 512;
const PIXELS = 512;
/** Of the result, for the gradient: transposed taps take longer. */
const PIXELS_BACK = 384;

/** Where a tap lies that meets a place of the result along one axis, and which place of the input it meets there. */
interface Meeting {
  readonly tap: number;
  readonly source: number;
}

/** For each place of the result of a convolution, along one axis. */
const forwards = ({ size, taps, dilation, stride, before, out }: Axis): Meeting[][] =>
  meetingsOf(out, taps, (place, tap) => place * stride + tap * dilation - before, size);

/** For each place of its input, which is the result of its gradient. */
const backwards = ({ size, taps, dilation, stride, before, out }: Axis): Meeting[][] =>
  meetingsOf(size, taps, (place, tap) => (place + before - tap * dilation) / stride, out);

function meetingsOf(places: number, taps: number, sourceOf: (place: number, tap: number) => number, sources: number): Meeting[][] {
  return Array.from({ length: places }, (_, place) =>
    Array.from({ length: taps }, (__, tap) => ({ tap, source: sourceOf(place, tap) })).filter(({ source }) => Number.isInteger(source) && source >= 0 && source < sources),
  );
}

/** Pixels to multiply by each tap's matrix, and where the products belong. */
interface Pairs {
  /** How many pixels each tap has. */
  readonly counts: Int32Array;
  /** Pixels of the input, tap after tap. */
  readonly sources: Int32Array;
  /** Rows of the products by the pixel that they are part of, and those pixels. */
  readonly products: Int32Array;
  readonly targets: Int32Array;
}

function pairsOf(batch: number, [rows, columns]: readonly [Meeting[][], Meeting[][]], [sourceHeight, sourceWidth]: readonly [number, number], [kh, kw]: Shape4D): Pairs {
  const counts = new Int32Array(kh * kw);
  for (const row of rows.flat()) for (const column of columns.flat()) counts[row.tap * kw + column.tap]! += batch;
  let total = 0;
  const next = counts.map((count) => (total += count) - count);
  const [sources, products, targets] = [new Int32Array(total), new Int32Array(total), new Int32Array(total)];
  let target = 0;
  let pair = 0;
  for (let image = 0; image < batch; image++) {
    for (const inRow of rows) {
      for (const inColumn of columns) {
        for (const row of inRow) {
          for (const column of inColumn) {
            const product = next[row.tap * kw + column.tap]!++;
            sources[product] = (image * sourceHeight + row.source) * sourceWidth + column.source;
            products[pair] = product;
            targets[pair++] = target;
          }
        }
        target++;
      }
    }
  }
  return { counts, sources, products, targets };
}

/** `BatchMatMulV2` packs a transposed matrix faster than `MatMul` does, and others slower. */
const product = (tf: Operations, x: Node, tap: Node, transpose: boolean): Node =>
  transpose
    ? tf.run('BatchMatMulV2', [type('T', x.dtype), bool('adj_x', false), bool('adj_y', true)], [x, tap])
    : tf.run('MatMul', [type('T', x.dtype), bool('transpose_a', false), bool('transpose_b', false)], [x, tap]);

function multiplyTaps(tf: Operations, x: Node, filter: Node, pairs: Pairs, shape: Shape4D, transpose: boolean): Node {
  const [kh, kw, ci] = filter.shape as Shape4D;
  const first = tf.scalar(0, TYPES.TF_INT32);
  const pixels = tf.run(
    'GatherV2',
    [int('batch_dims', 0), type('Tparams', x.dtype), type('Tindices', TYPES.TF_INT32), type('Taxis', TYPES.TF_INT32)],
    [reshape(tf, x, [-1, x.shape[3]!]), tf.ints(pairs.sources), first],
  );
  // Both are split without a copy.
  const parts = int('num_split', kh * kw);
  const groups = tf.runAll('SplitV', [type('T', x.dtype), type('Tlen', TYPES.TF_INT32), parts], [pixels, tf.ints(pairs.counts), first], kh * kw);
  const taps = tf.runAll('Split', [type('T', x.dtype), parts], [first, reshape(tf, filter, [kh * kw * ci, -1])], kh * kw);
  const products = groups.map((group, tap) => product(tf, group, taps[tap]!, transpose));
  const all = tf.run('ConcatV2', [type('T', x.dtype), type('Tidx', TYPES.TF_INT32), int('N', products.length)], [...products, first]);
  const sums = tf.run(
    'SparseSegmentSumWithNumSegments',
    [type('T', x.dtype), type('Tidx', TYPES.TF_INT32), type('Tsegmentids', TYPES.TF_INT32), type('Tnumsegments', TYPES.TF_INT32)],
    [all, tf.ints(pairs.products), tf.ints(pairs.targets), tf.scalar(shape[0] * shape[1] * shape[2], TYPES.TF_INT32)],
  );
  return reshape(tf, sums, shape);
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
    const [rows, columns] = axes;
    const pairs = pairsOf(batch, [forwards(rows), forwards(columns)], [rows.size, columns.size], filter.shape as Shape4D);
    return compute(engine, (tf) => [multiplyTaps(tf, tf.input(x), tf.input(filter), pairs, [batch, rows.out, columns.out, filter.shape[3]!], false)])[0];
  }),
  tensorflowKernel<Record<'dy' | 'filter', TensorInfo>, ConvolutionAttributes & { inputShape: Shape4D }>('Conv2DBackpropInput', ({ inputs: { dy, filter }, attrs, engine }) => {
    if (!mayTake(engine, filter.shape, attrs)) return undefined;
    const [batch] = dy.shape as Shape4D;
    const axes = convolutionAxes(attrs.inputShape, filter.shape, attrs, attrs.dilations ?? 1, false, dy.shape) as [Axis, Axis];
    if (pixelsOf(batch, axes) > PIXELS_BACK) return undefined;
    const [rows, columns] = axes;
    const pairs = pairsOf(batch, [backwards(rows), backwards(columns)], [rows.out, columns.out], filter.shape as Shape4D);
    return compute(engine, (tf) => [multiplyTaps(tf, tf.input(dy), tf.input(filter), pairs, attrs.inputShape, true)])[0];
  }),
];
