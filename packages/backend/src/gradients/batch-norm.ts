// Shapes: x [...,C]; mean, variance, scale and offset [C] or of any shape that broadcasts to x.
import { type GradConfig, type NamedTensorMap, type Tensor, add, broadcast_util, engine, mean as average, moments, mul, neg, reshape, rsqrt, square, sub, sum, tidy, zerosLike } from '@tensorflow/tfjs-core';
import type { BatchNormAttrs } from './batch-statistics.js';
import { hasKernel } from './kernels.js';

type Gradients = readonly [x: Tensor, scale: Tensor, offset: Tensor];

/** `dx = i·scale·(dy - mean(dy) - c·i²·mean(dy·c))`, `dscale = i·Σ dy·c`, `doffset = Σ dy`, with centred input c and `i = 1/√(variance + eps)`. */
function closedForm(dy: Tensor, x: Tensor, mean: Tensor, variance: Tensor, scale: Tensor, epsilon: number): Gradients {
  const axes = x.shape.slice(1).map((_, axis) => axis);
  const count = x.size / x.shape.at(-1)!;
  const centred = sub(x, mean);
  const inverse = rsqrt(add(variance, epsilon));
  const factor = mul(inverse, scale);
  const along = average(mul(dy, centred), axes);
  const constant = average(dy, axes);
  const towards = mul(centred, mul(mul(factor, square(inverse)), along));
  return [sub(sub(mul(dy, factor), towards), mul(factor, constant)), mul(mul(along, inverse), count), mul(constant, count)];
}

/** Gradient of batch norm whose mean and variance are those of x itself. */
function throughStatistics(dy: Tensor, x: Tensor, mean: Tensor, variance: Tensor, scale: Tensor, varianceEpsilon: number): Gradients {
  // Only operations on x, from its moments on, can be differentiated again.
  if (engine().state.gradientDepth > 0) {
    const batch = moments(x, x.shape.slice(1).map((_, axis) => axis));
    return closedForm(dy, x, batch.mean, batch.variance, scale, varianceEpsilon);
  }
  if (!hasKernel('BatchNormTrainingGrad')) return tidy(() => [...closedForm(dy, x, mean, variance, scale, varianceEpsilon)] as [Tensor, Tensor, Tensor]);
  return engine().runKernel('BatchNormTrainingGrad', { dy, x, mean, variance, scale } as NamedTensorMap, { varianceEpsilon }) as Tensor[] as [Tensor, Tensor, Tensor];
}

/**
 * Gradient of batch norm, `y = (x - mean)·i·scale + offset` with `i = 1/√(variance + eps)`.
 *
 * @remarks
 * With given statistics: one broadcast product for x; everything else happens only when asked for. Stock tfjs also tiles `i` to the size of x, and centres x whether it is needed or not.
 * With the statistics of the batch: everything at once, see `watchBatchStatistics`. tfjs saves the inputs by name, so batch norm without a scale has no gradient, here as there.
 */
export const batchNormGradient: GradConfig = {
  kernelName: 'FusedBatchNorm',
  inputsToSave: ['x', 'mean', 'variance', 'scale'],
  gradFunc: (dy, saved, attrs) => {
    const [x, mean, variance, scale] = saved as [Tensor, Tensor, Tensor, Tensor];
    const slopes = dy as Tensor;
    const { varianceEpsilon, ofBatch } = attrs as unknown as BatchNormAttrs;
    if (ofBatch) {
      // Shared by the three, hence computed here: a gradient asked for alone ends with its own `tidy`.
      const [dx, dScale, dOffset] = throughStatistics(slopes, x, mean, variance, scale, varianceEpsilon);
      return { x: () => dx, mean: () => zerosLike(mean), variance: () => zerosLike(variance), scale: () => dScale, offset: () => dOffset };
    }
    const axes = broadcast_util.getReductionAxes(mean.shape, x.shape);
    const reduce = (t: Tensor): Tensor => reshape(axes.length === 0 ? t : sum(t, axes), mean.shape);
    const inverse = (): Tensor => rsqrt(add(variance, varianceEpsilon));
    const factor = (): Tensor => mul(inverse(), scale);
    const along = (): Tensor => reduce(mul(slopes, sub(x, mean)));
    return {
      x: () => mul(slopes, factor()),
      mean: () => neg(mul(reduce(slopes), factor())),
      variance: () => mul(mul(along(), -0.5), mul(factor(), square(inverse()))),
      scale: () => mul(along(), inverse()),
      offset: () => reduce(slopes),
    };
  },
};
