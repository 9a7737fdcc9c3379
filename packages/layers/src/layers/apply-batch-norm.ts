import { type Tensor, type Tensor1D, add, mul, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { batchNormBatch, batchNormFixed } from '../ops/batch-norm.js';
import { type BatchNormConventionName, batchNormConventions } from '../spec/batch-norm-convention.js';
import type { CallArguments } from './call-arguments.js';

/** The four weights of a batch norm, under a prefix such as `'bn1/'`. */
export function batchNormOf(weights: Readonly<Record<string, LayerVariable>>, prefix = ''): Readonly<Record<'gamma' | 'beta' | 'mean' | 'variance', LayerVariable>> {
  const get = (name: string): LayerVariable => weights[`${prefix}${name}`]!;
  return { gamma: get('gamma'), beta: get('beta'), mean: get('movingMean'), variance: get('movingVariance') };
}

/** A single value has no unbiased variance; its biased one, 0, is all there is. */
export const unbiasing = (unbiased: boolean, count: number): number => (unbiased && count > 1 ? count / (count - 1) : 1);

/**
 * Batch norm: batch statistics while training or where somebody asked for them, running ones otherwise.
 *
 * @returns Same shape as `x`; the caller disposes it.
 */
export function applyBatchNorm<T extends Tensor>(
  x: T,
  { gamma, beta, mean, variance }: ReturnType<typeof batchNormOf>,
  convention: BatchNormConventionName | undefined,
  { training, updateStatistics, moe }: CallArguments,
): T {
  const { epsilon, kept, unbiased } = batchNormConventions[convention ?? 'pytorch'];
  const observe = moe?.observeBatchNorm;
  const read = (weight: LayerVariable): Tensor1D => weight.read() as Tensor1D;
  if (!training && observe === undefined) return batchNormFixed(x, read(gamma), read(beta), read(mean), read(variance), epsilon);
  return batchNormBatch(x, read(gamma), read(beta), epsilon, (batchMean, batchVariance, count) => {
    observe?.(mean, { mean: batchMean, variance: batchVariance, count, rows: x.shape[0]!, unbiased });
    if (!updateStatistics) return;
    const move = (statistic: LayerVariable, value: Tensor): void => tidy(() => void statistic.write(add(mul(statistic.read(), kept), mul(value, 1 - kept))));
    move(mean, batchMean);
    tidy(() => move(variance, mul(batchVariance, unbiasing(unbiased, count))));
  });
}
