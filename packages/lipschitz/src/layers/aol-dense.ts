import type { Tensor2D } from '@tensorflow/tfjs-core';
import { aolKernel } from './kernels.js';
import { LinearLayer } from './linear-layer.js';

/**
 * Dense layer that never stretches a difference of inputs in L2: its kernel is scaled, channel by channel, "almost orthogonal".
 *
 * @remarks
 * `W = K diag(Σ_j |KᵀK|_ij)^(-1/2)`, recomputed in every call, so that ordinary training moves K. Costs a product of K with itself. Differs from the paper: where there are fewer inputs than outputs
 * the inputs are scaled, else the outputs; the paper scales inputs, which wastes most of the slope where there are more of them.
 *
 * Tensors: `[B,I]` → `[B,O]`. Saved models need {@link registerLipschitzLayers} before they are loaded.
 *
 * @throws {@link ArgumentError} if `units` or `seed` is no such integer; {@link ShapeError} if inputs are not `[B,I]`.
 * @see {@link https://arxiv.org/abs/2208.03160 | Prach & Lampert 2022}
 *
 * @example
 * sequential({ layers: [new AolDense({ units: 64, inputShape: [784], seed: 1 }), new GroupSort(), new AolDense({ units: 10, seed: 2 })] });
 */
export class AolDense extends LinearLayer {
  static readonly className = 'AolDense';

  protected linear(kernel: Tensor2D): Tensor2D {
    return aolKernel(kernel, [1, 1]);
  }
}
