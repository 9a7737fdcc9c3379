import type { ForwardOptions, Routing } from '@moe/core';
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';

/** What a batch norm saw in one pass, over N values per channel; the tensors `[C]` live during the call only. */
export interface BatchStatistics {
  readonly mean: Tensor1D;
  /** Sum of squared deviations over N. */
  readonly variance: Tensor1D;
  readonly count: number;
  readonly rows: number;
  /** Whether the running variance of this batch norm divides by N - 1. */
  readonly unbiased: boolean;
}

/** What travels to every layer in `model.apply(x, { training, moe })`. */
export interface MoeCall {
  readonly options: ForwardOptions;
  /** Takes over the tensors of a routing; called once per MoE layer that evaluated its gate. */
  readonly collect: (routing: Routing) => void;
  /** Combine weights of the last MoE layer, if it routed as many rows. */
  readonly previous: (rows: number) => Tensor2D | undefined;
  /** Makes every batch norm use the statistics of the batch, and hands them over with the running mean that they would move. */
  readonly observeBatchNorm?: (movingMean: LayerVariable, statistics: BatchStatistics) => void;
}

/** tfjs' call arguments, as the layers of this package read them. */
export interface CallArguments {
  readonly training: boolean;
  /** Whether batch norm moves its running statistics; only ever true while training. */
  readonly updateStatistics: boolean;
  readonly moe: MoeCall | undefined;
}

/** Reads the arguments that tfjs hands to `Layer.call`; `fit` and `predict` pass `training` alone or nothing. */
export function readCallArguments(kwargs: Readonly<Record<string, unknown>> | undefined): CallArguments {
  const moe = kwargs?.['moe'] as MoeCall | undefined;
  const training = kwargs?.['training'] === true;
  return { training, updateStatistics: training && (moe?.options.updateStatistics ?? true), moe };
}
