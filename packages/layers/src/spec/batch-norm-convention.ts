/** What frameworks do differently in batch norm. */
export interface BatchNormConvention {
  /** Added to the variance. */
  readonly epsilon: number;
  /** Share of the old running statistics that an update keeps: `momentum` in Keras, 1 - `momentum` in PyTorch. */
  readonly kept: number;
  /** Whether the running variance divides by N - 1, not N. */
  readonly unbiased: boolean;
}

/** The conventions of batch norm, by the name of the framework that has them as its defaults. */
export const batchNormConventions = {
  pytorch: { epsilon: 1e-5, kept: 0.9, unbiased: true },
  keras: { epsilon: 1e-3, kept: 0.99, unbiased: false },
} as const satisfies Readonly<Record<string, BatchNormConvention>>;

export type BatchNormConventionName = keyof typeof batchNormConventions;
