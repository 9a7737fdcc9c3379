import type { SoundBound } from '@moe/core';
import { expectKnownKeys } from '@moe/core';
import { type KernelInput, readKernel } from '../internal/arrays.js';
import { type LinearBoundOptions, checkLinearOptions } from '../internal/bounds.js';
import { CONV_OPTIONS, type ConvOptions, convOperator } from '../internal/conv-geometry.js';
import { convNorm } from '../internal/conv-norms.js';

/**
 * Sound bound of the operator norm of a 2-D convolution at one image size.
 *
 * @remarks
 * L2: for the Gram matrix of every block of the polyphase symbol a Cholesky factorisation proves that no singular value is above the bound, which Lanczos steps suggest; all that rounding can do is
 * part of it. Random kernels of 64 channels: above the largest singular value by a share of 1e-11. The ring is as long as the image plus the longer padding, rounded up to a multiple of the stride. For circular
 * padding the largest block is the exact norm; zero padding removes rows and columns of that operator, so its norm is not larger: 0.5–3 % below for 3x3 kernels on 28 to 7 pixels, 10 % on 4, more for single channels. The ring
 * of the image's own length, often used, is *not* a bound for zero padding. Linf and L1 are largest absolute sums over the taps that really meet the image: exact but for one outward rounding.
 *
 * @param kernel  - weights `[kh, kw, cin, cout]`, as in a tfjs convolution.
 * @param options - see {@link ConvOptions} and {@link LinearBoundOptions}.
 * @returns `'upper'` for L2, `'exact'` for Linf and L1.
 * @throws {@link ShapeError} if the kernel has not four axes; {@link NumericsError} if a weight is not finite.
 * @see {@link https://arxiv.org/abs/1805.10408 | Sedghi et al. 2019} for the symbol; Rump 2006, "Verification of positive definiteness"; with `iterations`, {@link https://arxiv.org/abs/2305.16173 | Delattre et al. 2023}.
 *
 * @example
 * convBound(kernel, { inputSize: 28, padding: 'same' }).value;
 */
export function convBound(kernel: KernelInput, options: ConvOptions & LinearBoundOptions): SoundBound {
  expectKnownKeys('convBound', options, [...CONV_OPTIONS, 'norm', 'iterations']);
  const { norm = 'L2', iterations } = options;
  checkLinearOptions('convBound', norm, iterations);
  return convNorm(convOperator('convBound', readKernel('convBound', kernel, ['kh', 'kw', 'cin', 'cout']), options), norm, iterations);
}
