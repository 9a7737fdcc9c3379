// Shapes: x [...,C]; mean, variance, scale and offset [C] or of any shape that broadcasts to x.
import { type FusedBatchNormAttrs, type GradConfig, type Tensor, add, broadcast_util, mul, neg, reshape, rsqrt, square, sub, sum } from '@tensorflow/tfjs-core';

/**
 * Gradient of batch norm with given statistics, `y = (x - mean)·i·scale + offset` with `i = 1/√(variance + eps)`.
 *
 * @remarks
 * One broadcast product for x; everything else happens only when asked for. Stock tfjs also tiles `i` to the size of x, and centres x whether it is needed or not. tfjs saves the inputs by name, so batch norm without a scale has no gradient, here as there.
 */
export const batchNormGradient: GradConfig = {
  kernelName: 'FusedBatchNorm',
  inputsToSave: ['x', 'mean', 'variance', 'scale'],
  gradFunc: (dy, saved, attrs) => {
    const [x, mean, variance, scale] = saved as [Tensor, Tensor, Tensor, Tensor];
    const slopes = dy as Tensor;
    const { varianceEpsilon } = attrs as unknown as FusedBatchNormAttrs;
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
