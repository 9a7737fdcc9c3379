import type { Tensor2D } from '@tensorflow/tfjs-core';
import { cayleyKernel } from './kernels.js';
import { LinearLayer } from './linear-layer.js';

/**
 * Dense layer with orthonormal columns, or rows where it has more outputs than inputs: all singular values are 1.
 *
 * @remarks
 * `[(I − A)(I + A)⁻¹; −2 V (I + A)⁻¹]`, `A = U − Uᵀ + VᵀV` for the raw kernel `[U; V]`. The inverse comes by 20 steps of Newton's iteration, for the smaller of both sides, in every call: 40 products
 * of that size, so that tens to a few hundred features are its place. Reaches every orthogonal matrix without an eigenvalue −1.
 *
 * Tensors: `[B,I]` → `[B,O]`. Saved models need {@link registerLipschitzLayers} before they are loaded.
 *
 * @throws {@link ArgumentError} if `units` or `seed` is no such integer; {@link ShapeError} if inputs are not `[B,I]`.
 * @see {@link https://arxiv.org/abs/2104.07167 | Trockman & Kolter 2021}. Differs from it: no learned length of the raw kernel.
 *
 * @example
 * new CayleyDense({ units: 10, seed: 3 });
 */
export class CayleyDense extends LinearLayer {
  static readonly className = 'CayleyDense';

  protected linear(kernel: Tensor2D): Tensor2D {
    return cayleyKernel(kernel);
  }
}
