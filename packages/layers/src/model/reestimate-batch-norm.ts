// Shapes: B batch, C channels, N values per channel.
import { expectArgument, expectInteger, expectKnownKeys, expectShape } from '@moe/core';
import { type Tensor, type Tensor1D, add, clone, dispose, keep, mul, square, sub, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable, LayersModel } from '@tensorflow/tfjs-layers';
import { unbiasing } from '../layers/apply-batch-norm.js';
import type { BatchStatistics, MoeCall } from '../layers/call-arguments.js';
import { collectRoutings } from './collect-routings.js';
import { leafLayers } from './leaf-layers.js';

export interface ReestimateBatchNormOptions {
  /** Rows that a batch norm must have seen in all, for its statistics to be replaced. @defaultValue 32 */
  readonly minRows?: number;
}

/** What happened to one batch norm. */
export interface BatchNormEstimate {
  /** Path such as `layer4.0/expert2/bn1`. */
  readonly name: string;
  /** Rows that it saw in all: images, or those of them that its expert was given. */
  readonly rows: number;
  /** Whether its running statistics were replaced. */
  readonly updated: boolean;
}

/** The running statistics of a model's batch norms, by the names of {@link modelWeights}. */
function batchNormsOf(model: LayersModel): readonly { readonly name: string; readonly mean: LayerVariable; readonly variance: LayerVariable }[] {
  const weights = leafLayers(model).flatMap((layer) => layer.weights);
  const byName = new Map(weights.map((weight) => [weight.originalName, weight]));
  return weights.flatMap((mean) => {
    const [, name] = /^(.+)\/movingMean$/.exec(mean.originalName) ?? [];
    const variance = byName.get(`${name}/movingVariance`);
    return name === undefined || variance === undefined ? [] : [{ name, mean, variance }];
  });
}

/** Statistics of the values that either has seen (Chan et al. 1979); the tensors are kept, and those of `a` are gone. */
function pool(a: BatchStatistics | undefined, b: BatchStatistics): BatchStatistics {
  const [mean, variance] = tidy((): [Tensor1D, Tensor1D] => {
    if (a === undefined) return [clone(b.mean), clone(b.variance)];
    const share = b.count / (a.count + b.count);
    const step = sub(b.mean, a.mean);
    const within = add(mul(a.variance, 1 - share), mul(b.variance, share));
    return [add(a.mean, mul(step, share)), add(within, mul(square(step), share * (1 - share)))];
  });
  if (a !== undefined) dispose([a.mean, a.variance]);
  return { mean: keep(mean), variance: keep(variance), count: (a?.count ?? 0) + b.count, rows: (a?.rows ?? 0) + b.rows, unbiased: b.unbiased };
}

/**
 * Replaces the running statistics of batch norm by those of the given images: after training with few rows for an expert, after a change of k or of experts, or with frozen ones.
 *
 * @remarks
 * Every batch passes once, routed as in evaluation and normalised by its own statistics; mean and variance are then those of all values that a batch norm saw, whatever the sizes of
 * the batches. A batch norm with fewer than `minRows` rows, such as that of an expert that is rarely chosen, keeps what it has and is reported.
 * Batch norms of tfjs itself are left alone.
 *
 * @param model   - built by {@link resnet} or by the caller, of one input.
 * @param batches - images `[B,…]` in the input units of the model; each belongs to the caller, who may dispose it when the next is asked for.
 * @returns One entry per batch norm, in the order of the layers. Nothing has changed if the promise rejects.
 * @throws {@link ArgumentError} {@link ShapeError} if an option or a batch is wrong, or there is no batch.
 * @see {@link https://arxiv.org/abs/2105.07576 | Wu and Johnson 2021}, PreciseBN.
 *
 * @example
 * const kept = (await reestimateBatchNorm(model, batches)).filter(({ updated }) => !updated);
 */
export async function reestimateBatchNorm(
  model: LayersModel,
  batches: Iterable<Tensor> | AsyncIterable<Tensor>,
  options: ReestimateBatchNormOptions = {},
): Promise<readonly BatchNormEstimate[]> {
  expectKnownKeys('reestimateBatchNorm', options, ['minRows']);
  const { minRows = 32 } = options;
  expectInteger('reestimateBatchNorm', 'minRows', minRows, 1);
  const rowShape = model.inputs[0]!.shape.slice(1).map((size) => size ?? '*');
  const pooled = new Map<LayerVariable, BatchStatistics>();
  const observeBatchNorm: MoeCall['observeBatchNorm'] = (movingMean, statistics) => void pooled.set(movingMean, pool(pooled.get(movingMean), statistics));
  let count = 0;
  try {
    for await (const images of batches) {
      expectShape('reestimateBatchNorm', { images }, ['B', ...rowShape]);
      const { collect, previous, release } = collectRoutings();
      try {
        tidy(() => void model.apply(images, { training: false, moe: { options: {}, collect, previous, observeBatchNorm } satisfies MoeCall }));
      } finally {
        release();
      }
      count += 1;
    }
    expectArgument('reestimateBatchNorm', 'batches', count > 0, 'hold at least one batch', count);
    return batchNormsOf(model).map(({ name, mean, variance }) => {
      const seen = pooled.get(mean);
      const updated = seen !== undefined && seen.rows >= minRows;
      if (updated) {
        mean.write(seen.mean);
        tidy(() => void variance.write(mul(seen.variance, unbiasing(seen.unbiased, seen.count))));
      }
      return { name, rows: seen?.rows ?? 0, updated };
    });
  } finally {
    dispose([...pooled.values()].flatMap((seen) => [seen.mean, seen.variance]));
  }
}
