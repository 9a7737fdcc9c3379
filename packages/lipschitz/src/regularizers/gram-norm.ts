import { type Scalar, type Tensor, type Tensor2D, type Tensor4D, add, div, exp, log, matMul, max, reshape, sqrt, square, sum, tidy } from '@tensorflow/tfjs-core';
import { asConvolution, expectKernel, gramKernel, rowSums, sideOf } from '../layers/row-sums.js';
import { type KernelOptions, stridesOf } from './gram-penalty.js';

/** Squarings of a dense Gram matrix. */
const SQUARINGS = 4;

const frobenius = (x: Tensor): Tensor => sqrt(add(sum(square(x)), 1e-30));

/** `‖G^(2^t)‖_F^(2^-t)` for a symmetric G, its lengths taken off before each square. */
function largestEigenvalue(gram: Tensor): Tensor {
  let matrix = gram;
  let logs: Tensor = log(frobenius(matrix));
  matrix = div(matrix, frobenius(matrix));
  for (let t = 0; t < SQUARINGS; t++) {
    matrix = matMul(matrix, matrix);
    const length = frobenius(matrix);
    logs = add(logs, div(log(length), 2 ** (t + 1)));
    matrix = div(matrix, length);
  }
  return exp(logs);
}

/**
 * The spectral norm of a kernel from above, differentiable, for losses.
 *
 * @remarks
 * Dense: four squarings of the Gram matrix, at most `r^(1/64)` times too large for rank r. Convolution: largest row sum of its Gram operator over all offsets, for images of every size. Float32 and
 * without a status, so it enters no certificate: {@link denseBound} and {@link convBound} are for those.
 *
 * @param kernel - `[in, out]` or `[kh, kw, in, out]`.
 * @returns Scalar; the caller disposes it.
 * @throws {@link ShapeError} if the kernel has another rank; {@link ArgumentError} if an option breaks its rule.
 * @see {@link https://arxiv.org/abs/2305.16173 | Delattre et al. 2023}, {@link https://arxiv.org/abs/2402.00240 | 2024}
 *
 * @example
 * const lipschitz = mul(gramNorm(first), gramNorm(second)); // of a perceptron with ReLU between the two
 */
export function gramNorm(kernel: Tensor2D | Tensor4D, options: KernelOptions = {}): Scalar {
  const strides = stridesOf('gramNorm', options);
  expectKernel('gramNorm', kernel);
  return tidy(() => {
    const conv = asConvolution(kernel);
    const side = sideOf(conv, strides);
    if (kernel.rank === 4) return sqrt(max<Scalar>(rowSums(conv, strides, side)));
    const gram = gramKernel(conv, strides, side);
    return sqrt(largestEigenvalue(reshape(gram, [gram.shape[0], gram.shape[3]]))) as Scalar;
  });
}
