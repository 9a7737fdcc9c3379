// Shapes: I in, O out, N channels of the side with fewer.
import { type Scalar, type Tensor2D, type Tensor4D, eye, pad, reshape, square, sub, sum, tidy } from '@tensorflow/tfjs-core';
import { expectInteger, expectKnownKeys } from '@moe/core';
import { asConvolution, expectKernel, gramKernel, sideOf } from '../layers/row-sums.js';

/** Options of {@link gramPenalty} and {@link gramNorm}. */
export interface KernelOptions {
  /** Of a convolution, along both axes. @defaultValue 1 */
  readonly strides?: number;
}

export function stridesOf(caller: string, options: KernelOptions): readonly [number, number] {
  expectKnownKeys(caller, options, ['strides']);
  const { strides = 1 } = options;
  expectInteger(caller, 'strides', strides, 1);
  return [strides, strides];
}

/**
 * How far a kernel is from orthonormal: `‖KᵀK − I‖²_F` over the side with fewer channels; for a convolution over all offsets.
 *
 * @remarks
 * Added to a loss it draws all singular values towards 1, for any layer; it promises nothing, as layers do whose kernel is made orthonormal. Offsets of a strided convolution are whole strides.
 *
 * @param kernel - `[in, out]` or `[kh, kw, in, out]`.
 * @returns Scalar ≥ 0, differentiable; 0 for orthonormal kernels. The caller disposes it.
 * @throws {@link ShapeError} if the kernel has another rank; {@link ArgumentError} if an option breaks its rule.
 * @see {@link https://arxiv.org/abs/1911.12207 | Wang et al. 2020}; for dense layers {@link https://arxiv.org/abs/1704.08847 | Cissé et al. 2017}.
 *
 * @example
 * const loss = add(crossEntropy, mul(gramPenalty(kernel), 0.01));
 */
export function gramPenalty(kernel: Tensor2D | Tensor4D, options: KernelOptions = {}): Scalar {
  const strides = stridesOf('gramPenalty', options);
  expectKernel('gramPenalty', kernel);
  return tidy(() => {
    const conv = asConvolution(kernel);
    const gram = gramKernel(conv, strides, sideOf(conv, strides));
    const [channels, height, width] = gram.shape;
    const [y, x] = [(height - 1) / 2, (width - 1) / 2];
    const identity = pad(reshape(eye(channels), [channels, 1, 1, channels]), [[0, 0], [y, y], [x, x], [0, 0]]);
    return sum(square(sub(gram, identity))) as Scalar;
  });
}
