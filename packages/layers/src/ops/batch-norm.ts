// Shapes: B batch, H W pixels, C channels, N = B·H·W.
import '../gradients.js';
import { type GradSaveFunc, type Tensor, type Tensor1D, type Tensor2D, add, batchNorm, customGrad, mul, neg, reshape, rsqrt, square, sub, tidy } from '@tensorflow/tfjs-core';
import { batchNormKernels } from './batch-norm-kernels.js';
import { channelRows } from './channels.js';

/**
 * Batch norm with given statistics, differentiable in everything.
 *
 * @param x - `[B,H,W,C]` or `[B,C]`.
 * @returns Same shape as `x`; the caller disposes it.
 */
export function batchNormFixed<T extends Tensor>(x: T, gamma: Tensor1D, beta: Tensor1D, mean: Tensor1D, variance: Tensor1D, epsilon: number): T {
  return batchNorm(x, mean, variance, beta, gamma, epsilon) as T;
}

/**
 * Batch norm with the statistics of the batch itself, and its closed-form gradient.
 *
 * @remarks
 * With centred input c, i = 1/√(var + eps), a = γ·i: y = a·c + β, and
 * `dx = a·(dy - mean(dy) - c·i²·mean(dy·c))`, `dγ = i·Σ dy·c`, `dβ = Σ dy` (Ioffe & Szegedy 2015, Sec. 3). Has no second derivative.
 * Where the running engine has kernels for both directions, these do the work.
 *
 * @param x           - `[B,H,W,C]` or `[B,C]`.
 * @param onStatistics - receives the mean and the biased variance `[C]`, alive during the call only, and N.
 * @returns Same shape as `x`; the caller disposes it.
 */
export function batchNormBatch<T extends Tensor>(
  x: T,
  gamma: Tensor1D,
  beta: Tensor1D,
  epsilon: number,
  onStatistics: (mean: Tensor1D, variance: Tensor1D, count: number) => void,
): T {
  const view = channelRows(x.shape);
  const normalise = customGrad((...args) => {
    const [input, scale, shift, save] = args as unknown as [Tensor, Tensor1D, Tensor1D, GradSaveFunc];
    const kernels = batchNormKernels(epsilon);
    if (kernels !== undefined) {
      const [y, mean, variance] = kernels.forward(input, scale, shift);
      onStatistics(mean, variance, view.count);
      save([input, scale, mean, variance]);
      return { value: y, gradFunc: (dy: Tensor, saved: Tensor[]) => kernels.backward(dy, saved) };
    }
    const rows = view.rows(input);
    const mean = view.mean(rows);
    const centred = sub(rows, view.spread(mean)) as Tensor2D;
    const variance = view.mean(square(centred));
    const inverse = rsqrt(add(variance, epsilon)) as Tensor1D;
    const slope = mul(scale, inverse) as Tensor1D;
    onStatistics(mean, variance, view.count);
    save([centred, inverse, slope]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => {
      const [c, i, a] = saved as [Tensor2D, Tensor1D, Tensor1D];
      const dRows = view.rows(dy);
      const meanOf = view.mean(dRows);
      const meanAlong = view.mean(mul(dRows, c));
      const alongCentred = neg(mul(mul(a, square(i)), meanAlong)) as Tensor1D;
      const constant = neg(mul(a, meanOf)) as Tensor1D;
      const toRows = add(add(mul(dRows, view.spread(a)), mul(c, view.spread(alongCentred))), view.spread(constant));
      return [reshape(toRows, x.shape), mul(mul(meanAlong, i), view.count), mul(meanOf, view.count)];
    };
    return { value: reshape(add(mul(centred, view.spread(slope)), view.spread(shift)), x.shape), gradFunc };
  });
  return tidy(() => normalise(x, gamma, beta) as T);
}
