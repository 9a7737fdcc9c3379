// Shapes: x [B,H,W,Ci], dy [B,H',W',Co], filter [Kh,Kw,Ci,Co].
import { type Conv2DBackpropInputAttrs, type Conv2DBackpropInputInputs, type TensorInfo, backend_util } from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { convolve } from '../convolve.js';
import { wasmKernel } from '../kernel.js';
import { addressOf, nativeOf } from '../native.js';
import { type Scratch, withScratch } from '../scratch.js';

type Shape4D = [number, number, number, number];

/**
 * Rows (or columns) of x with one remainder modulo the stride.
 *
 * @remarks
 * y + padding = remainder + stride·q reads the taps remainder + stride·t at output q - t, so these rows are a stride-1 convolution of dy
 * with every stride-th tap, flipped.
 */
interface Phase {
  /** First row of x and how many, every stride-th. */
  readonly start: number;
  readonly count: number;
  /** First tap and how many, every stride-th. */
  readonly tap: number;
  readonly taps: number;
  /** Zeros before dy; negative where dy is cut. */
  readonly before: number;
}

function phasesOf(size: number, kernel: number, stride: number, padding: number): Phase[] {
  return Array.from({ length: Math.min(stride, kernel) }, (_, remainder) => {
    const first = Math.max(0, Math.ceil((padding - remainder) / stride));
    const last = Math.floor((size - 1 + padding - remainder) / stride);
    const taps = Math.ceil((kernel - remainder) / stride);
    return { start: remainder + stride * first - padding, count: last - first + 1, tap: remainder, taps, before: taps - 1 - first };
  }).filter(({ count }) => count > 0);
}

/** Input gradient of a convolution as stride-1 convolutions of dy, one for each phase of the stride; the stock kernel takes ten times as long. */
export const conv2dBackpropInput = wasmKernel<Conv2DBackpropInputInputs, Conv2DBackpropInputAttrs>(
  'Conv2DBackpropInput',
  ({ inputs: { dy, filter }, attrs: { strides, pad, dataFormat, dimRoundingMode, inputShape }, backend }) => {
    const format = backend_util.convertConv2DDataFormat(dataFormat);
    const info = backend_util.computeConv2DInfo(inputShape, filter.shape as Shape4D, strides, 1, pad, dimRoundingMode, false, format);
    const native = nativeOf(backend);
    const channelsLast = format === 'channelsLast';
    return withScratch(backend, (scratch) => {
      const slopes = firstOutputs(scratch, channelsLast ? dy : scratch.transpose(dy, [0, 2, 3, 1]), info);
      const shape: Shape4D = [info.batchSize, info.inHeight, info.inWidth, info.inChannels];
      const rows = phasesOf(info.inHeight, info.filterHeight, info.strideHeight, info.padInfo.top);
      const columns = phasesOf(info.inWidth, info.filterWidth, info.strideWidth, info.padInfo.left);
      const gradientOf = (row: Phase, column: Phase): TensorInfo => phaseGradient(backend, slopes, filter, row, column, info.strideHeight, info.strideWidth);
      const [row, column] = [rows[0], columns[0]];
      const single = info.strideHeight === 1 && info.strideWidth === 1 && row !== undefined && column !== undefined;
      const dx = single ? scratch.own(gradientOf(row, column)) : scratch.zeros(shape);
      for (const r of single ? [] : rows) {
        for (const c of columns) {
          const part = gradientOf(r, c);
          native.spread(
            addressOf(backend, part), addressOf(backend, dx), info.batchSize, r.count, c.count, info.inChannels,
            info.inHeight, info.inWidth, r.start, c.start, info.strideHeight, info.strideWidth,
          );
          backend.disposeData(part.dataId);
        }
      }
      return channelsLast ? dx : scratch.transpose(dx, [0, 3, 1, 2]);
    });
  },
);

/** What lies beyond the outputs of the convolution counts for nothing, as on the other engines of tfjs. */
function firstOutputs(scratch: Scratch, dy: TensorInfo, { outHeight, outWidth }: backend_util.Conv2DInfo): TensorInfo {
  const [batch, rows, columns, channels] = dy.shape as Shape4D;
  if (rows <= outHeight && columns <= outWidth) return dy;
  return scratch.run('Slice', { x: dy }, { begin: [0, 0, 0, 0], size: [batch, Math.min(rows, outHeight), Math.min(columns, outWidth), channels] });
}

/** `[B, row.count, column.count, Ci]`, the gradient of one phase. */
function phaseGradient(backend: BackendWasm, dy: TensorInfo, filter: TensorInfo, row: Phase, column: Phase, strideH: number, strideW: number): TensorInfo {
  const taps = adjointTaps(backend, filter, row, column, strideH, strideW);
  try {
    return convolve(backend, dy, taps, { ...DENSE, outHeight: row.count, outWidth: column.count, top: row.before, left: column.before });
  } finally {
    backend.disposeData(taps.dataId);
  }
}

const DENSE = { strideHeight: 1, strideWidth: 1, dilationHeight: 1, dilationWidth: 1 } as const;

/** The taps of a phase, flipped in space, with input and output channels exchanged. */
function adjointTaps(backend: BackendWasm, filter: TensorInfo, row: Phase, column: Phase, strideH: number, strideW: number): TensorInfo {
  const [, kernelWidth, ci, co] = filter.shape as Shape4D;
  const native = nativeOf(backend);
  const out = backend.makeOutput([row.taps, column.taps, co, ci], 'float32');
  const bytes = 4 * ci * co;
  let to = addressOf(backend, out);
  const from = addressOf(backend, filter);
  for (let i = row.taps - 1; i >= 0; i--) {
    for (let j = column.taps - 1; j >= 0; j--, to += bytes) {
      native.transposeMatrix(from + bytes * ((row.tap + strideH * i) * kernelWidth + column.tap + strideW * j), to, ci, co);
    }
  }
  return out;
}
