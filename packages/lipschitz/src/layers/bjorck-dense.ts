import { expectInteger } from '@moe/core';
import type { Tensor2D, serialization } from '@tensorflow/tfjs-core';
import { bjorckKernel } from './kernels.js';
import { type LipschitzDenseArgs, LinearLayer } from './linear-layer.js';

/** Options of {@link BjorckDense}. */
export interface BjorckDenseArgs extends LipschitzDenseArgs {
  /** Steps of the iteration in every call. @defaultValue 15 */
  readonly steps?: number;
}

/**
 * Dense layer whose kernel is moved towards orthonormal columns, or rows, by Björck's iteration `W ← 1.5 W − 0.5 W WᵀW`.
 *
 * @remarks
 * Starts from the kernel of {@link AolDense}, so that every singular value lies in [0, 1] and stays there: s becomes 1.5 s − 0.5 s³ ≤ 1. After few steps small ones have not arrived at 1; the layer
 * is 1-Lipschitz all the same. Costs two products a step for the smaller side, and as many for gradients.
 *
 * Tensors: `[B,I]` → `[B,O]`. Saved models need {@link registerLipschitzLayers} before they are loaded.
 *
 * @throws {@link ArgumentError} if `units`, `seed` or `steps` is no such integer; {@link ShapeError} if inputs are not `[B,I]`.
 * @see {@link https://arxiv.org/abs/1811.05381 | Anil et al. 2019}; Björck & Bowie 1971.
 *
 * @example
 * new BjorckDense({ units: 64, steps: 10, seed: 4 });
 */
export class BjorckDense extends LinearLayer {
  static readonly className = 'BjorckDense';
  readonly steps: number;

  constructor(args: BjorckDenseArgs) {
    super(args);
    const { steps = 15 } = args;
    expectInteger('BjorckDense', 'steps', steps, 0);
    this.steps = steps;
  }

  protected linear(kernel: Tensor2D): Tensor2D {
    return bjorckKernel(kernel, this.steps);
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), steps: this.steps };
  }
}
