import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Scratch } from './scratch.js';

const KERNELS: Readonly<Record<string, string>> = { relu: 'Relu', relu6: 'Relu6', elu: 'Elu', sigmoid: 'Sigmoid', prelu: 'Prelu', leakyrelu: 'LeakyRelu' };

/** What fused kernels do after their product: nothing without a bias or with a linear activation. */
export interface Finish {
  readonly bias?: TensorInfo | null | undefined;
  readonly activation?: string | null | undefined;
  readonly preluActivationWeights?: TensorInfo | null | undefined;
  readonly leakyreluAlpha?: number | undefined;
}

/** Adds the bias and applies the activation. */
export function finish(scratch: Scratch, product: TensorInfo, { bias, activation, preluActivationWeights, leakyreluAlpha }: Finish): TensorInfo {
  const sum = bias == null ? product : scratch.run('Add', { a: product, b: bias });
  const kernel = KERNELS[activation ?? 'linear'];
  if (kernel === undefined) return sum;
  if (kernel === 'Prelu' && preluActivationWeights != null) return scratch.run(kernel, { x: sum, alpha: preluActivationWeights });
  return scratch.run(kernel, { x: sum }, kernel === 'LeakyRelu' ? { alpha: leakyreluAlpha ?? 0.2 } : {});
}
