import { type GradConfig, type MeanAttrs, type SumAttrs, type Tensor, backend_util, fill, mul, reshape, util } from '@tensorflow/tfjs-core';
import { hasKernel, runKernel } from './kernels.js';

/** The gradient spread back over the reduced axes, times `factor`; stock tfjs builds an array of ones in JavaScript each time. */
function spread(dy: Tensor, shape: number[], axis: number | number[], factor: number): Tensor {
  const kept = backend_util.expandShapeToKeepDim(backend_util.computeOutAndReduceShapes(shape, util.parseAxisParam(axis, shape))[0], util.parseAxisParam(axis, shape));
  if (!hasKernel('BroadcastTo')) return mul(reshape(dy, kept), fill(shape, factor));
  return runKernel('BroadcastTo', { x: reshape(factor === 1 ? dy : mul(dy, factor), kept) }, { shape, inputShape: kept });
}

export const sumGradient: GradConfig = {
  kernelName: 'Sum',
  inputsToSave: ['x'],
  gradFunc: (dy, saved, attrs) => {
    const { shape } = saved[0]!;
    const { axis } = attrs as unknown as SumAttrs;
    return { x: () => spread(dy as Tensor, shape, axis, 1) };
  },
};

export const meanGradient: GradConfig = {
  kernelName: 'Mean',
  inputsToSave: ['x'],
  gradFunc: (dy, saved, attrs) => {
    const { shape } = saved[0]!;
    const { axis } = attrs as unknown as MeanAttrs;
    const reduced = util.parseAxisParam(axis, shape).reduce((total, i) => total * shape[i]!, 1);
    return { x: () => spread(dy as Tensor, shape, axis, 1 / reduced) };
  },
};
