import type { ForwardOptions, Routing } from '@moe/core';

/** What travels to every layer in `model.apply(x, { training, moe })`. */
export interface MoeCall {
  readonly options: ForwardOptions;
  /** Takes over the tensors of a routing; called once per MoE layer that evaluated its gate. */
  readonly collect: (routing: Routing) => void;
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
