import { type Tensor, type Tensor1D, add, mul, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { batchNormBatch, batchNormFixed } from '../ops/batch-norm.js';
import type { CallArguments } from './call-arguments.js';

/** Share of the old running statistics that an update keeps: 1 minus PyTorch's momentum of 0.1. */
const KEPT = 0.9;

/** The four weights of a batch norm, under a prefix such as `'bn1/'`. */
export function batchNormOf(weights: Readonly<Record<string, LayerVariable>>, prefix = ''): Readonly<Record<'gamma' | 'beta' | 'mean' | 'variance', LayerVariable>> {
  const get = (name: string): LayerVariable => weights[`${prefix}${name}`]!;
  return { gamma: get('gamma'), beta: get('beta'), mean: get('movingMean'), variance: get('movingVariance') };
}

function move(statistic: LayerVariable, value: Tensor, factor: number): void {
  tidy(() => void statistic.write(add(mul(statistic.read(), KEPT), mul(value, (1 - KEPT) * factor))));
}

/**
 * Batch norm as PyTorch does it: batch statistics while training, running ones otherwise; the running variance is the unbiased one.
 *
 * @returns Same shape as `x`; the caller disposes it.
 */
export function applyBatchNorm<T extends Tensor>(
  x: T,
  { gamma, beta, mean, variance }: ReturnType<typeof batchNormOf>,
  { training, updateStatistics }: Pick<CallArguments, 'training' | 'updateStatistics'>,
): T {
  const read = (weight: LayerVariable): Tensor1D => weight.read() as Tensor1D;
  if (!training) return batchNormFixed(x, read(gamma), read(beta), read(mean), read(variance));
  return batchNormBatch(x, read(gamma), read(beta), (batchMean, batchVariance, count) => {
    if (!updateStatistics) return;
    move(mean, batchMean, 1);
    // A single value has no unbiased variance; its biased one, 0, is all there is.
    move(variance, batchVariance, count > 1 ? count / (count - 1) : 1);
  });
}
