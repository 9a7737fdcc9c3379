// Shapes: x [B,H,W,Ci], dy [B,H',W',Co], filter [Kh,Kw,Ci,Co].
import {
  type Conv2DAttrs,
  type Conv2DBackpropFilterAttrs,
  type GradConfig,
  type Tensor,
  type Tensor4D,
  conv2d,
  pad,
  reshape,
  slice,
} from '@tensorflow/tfjs-core';
import { WANTED } from '../deferred.js';
import { runKernel } from './kernels.js';

type Shape4D = [number, number, number, number];
type Geometry = Pick<Conv2DAttrs, 'strides' | 'pad' | 'dataFormat'> & { dimRoundingMode?: Conv2DAttrs['dimRoundingMode'] | undefined };

const inputGradient = (inputShape: number[], dy: Tensor, filter: Tensor, geometry: Geometry): Tensor =>
  runKernel('Conv2DBackpropInput', { dy, filter }, { ...geometry, inputShape });

const filterGradient = (x: Tensor, dy: Tensor, filterShape: number[], geometry: Geometry): Tensor =>
  runKernel('Conv2DBackpropFilter', { x, dy }, { ...geometry, filterShape, ...WANTED });

const pairOf = (value: number | [number, number]): [number, number] => (typeof value === 'number' ? [value, value] : value);
const geometryOf = ({ strides, pad, dataFormat, dimRoundingMode }: Geometry): Geometry => ({ strides, pad, dataFormat, dimRoundingMode });

/** Puts `step - 1` zeros between the `taps` of the middle axis, `[outer,taps,rest]` → `[outer,(taps-1)·step+1,rest]`. */
function stretch(filter: Tensor, step: number): Tensor {
  const [outer, taps, rest] = filter.shape as [number, number, number];
  const stuffed = pad(reshape(filter, [outer, taps, 1, rest]), [[0, 0], [0, 0], [0, step - 1], [0, 0]]);
  return slice(reshape(stuffed, [outer, taps * step, rest]), [0, 0, 0], [outer, (taps - 1) * step + 1, rest]);
}

/** Undoes {@link stretch}: every `step`-th entry of the middle axis. */
function pick(filter: Tensor, step: number): Tensor {
  const [outer, stretched, rest] = filter.shape as [number, number, number];
  const taps = (stretched - 1) / step + 1;
  const filled = reshape(pad(filter, [[0, 0], [0, step - 1], [0, 0]]), [outer, taps, step, rest]);
  return reshape(slice(filled, [0, 0, 0, 0], [outer, taps, 1, rest]), [outer, taps, rest]);
}

/** Applies `change` along the rows, then along the columns of a filter. */
function overTaps(filter: Tensor, [dilationH, dilationW]: [number, number], change: typeof stretch): Tensor {
  const [kh, kw, ci, co] = filter.shape as Shape4D;
  const rows = dilationH === 1 ? filter : change(reshape(filter, [1, kh, kw * ci * co]), dilationH);
  const height = rows.size / (kw * ci * co);
  const columns = dilationW === 1 ? rows : change(reshape(rows, [height, kw, ci * co]), dilationW);
  return reshape(columns, [height, columns.size / (height * ci * co), ci, co]);
}

/** Convolution; unlike stock tfjs also with dilated taps, as the convolution with the filter that has zeros between them. */
export const convolutionGradient: GradConfig = {
  kernelName: 'Conv2D',
  inputsToSave: ['x', 'filter'],
  gradFunc: (dy, saved, attrs) => {
    const [x, filter] = saved as [Tensor, Tensor];
    const geometry = geometryOf(attrs as unknown as Conv2DAttrs);
    const dilations = pairOf((attrs as unknown as Conv2DAttrs).dilations);
    const [kh, kw, ci, co] = filter.shape as Shape4D;
    const stretched = [(kh - 1) * dilations[0] + 1, (kw - 1) * dilations[1] + 1, ci, co];
    return {
      x: () => inputGradient(x.shape, dy as Tensor, overTaps(filter, dilations, stretch), geometry),
      filter: () => overTaps(filterGradient(x, dy as Tensor, stretched, geometry), dilations, pick),
    };
  },
};

/** The filter gradient, which stock tfjs cannot differentiate again. */
export const filterGradientGradient: GradConfig = {
  kernelName: 'Conv2DBackpropFilter',
  inputsToSave: ['x', 'dy'],
  gradFunc: (ddw, saved, attrs) => {
    const [x, dy] = saved as [Tensor4D, Tensor4D];
    const geometry = geometryOf(attrs as unknown as Conv2DBackpropFilterAttrs);
    return {
      x: () => inputGradient(x.shape, dy, ddw as Tensor, geometry),
      dy: () => conv2d(x, ddw as Tensor4D, geometry.strides, geometry.pad, geometry.dataFormat, 1, geometry.dimRoundingMode),
    };
  },
};
