/** Largest slope of each elementwise activation; those that are no short decimal are rounded up in the last place. */
export const ACTIVATION_SLOPES = {
  linear: 1,
  relu: 1,
  relu6: 1,
  elu: 1,
  selu: 1.7580993409, // λα of Klambauer et al. 2017, slope at 0 from below
  sigmoid: 0.25,
  hardSigmoid: 0.2,
  tanh: 1,
  softplus: 1,
  softsign: 1,
  swish: 1.0998393202, // 1.09983932013 at x = 2.39935728
  gelu: 1.1289041452, // Φ(√2) + √2 φ(√2)
  gelu_new: 1.1289930687, // 1.12899306866 at x = 1.418504
  mish: 1.0884981613, // 1.08849816125 at x = 1.490571
} as const;

/** An elementwise activation of {@link ACTIVATION_SLOPES}, by its tfjs name. */
export type ActivationName = keyof typeof ACTIVATION_SLOPES;

/** Those whose largest slope has no short decimal. */
export const ROUNDED_SLOPES: readonly ActivationName[] = ['selu', 'swish', 'gelu', 'gelu_new', 'mish'];

/** Those that never fall. */
export const MONOTONE: readonly ActivationName[] = ['linear', 'relu', 'relu6', 'elu', 'selu', 'sigmoid', 'hardSigmoid', 'tanh', 'softplus', 'softsign'];
