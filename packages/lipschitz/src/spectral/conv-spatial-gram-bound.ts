import type { Bound } from '@moe/core';
import { expectInteger, expectKnownKeys } from '@moe/core';
import { type KernelInput, readKernel } from '../internal/arrays.js';
import { globalBound } from '../internal/bounds.js';
import { type Pair, pairOf } from '../internal/conv-geometry.js';
import { UNIT, roundUp } from '../internal/rounding.js';
import { largestSums, smallerSide, square, tapsOf } from '../internal/spatial-gram.js';

export interface SpatialGramOptions {
  /** @defaultValue 1 */
  readonly strides?: Pair;
  /** Products of the kernel with itself; each doubles its reach. @defaultValue 2 */
  readonly iterations?: number;
}

/**
 * Sound bound of the spectral norm of a 2-D convolution for images of every size, with zero or circular padding.
 *
 * @remarks
 * `K ← K ∗ Kᵀ`, then `σ ≤ (max_o Σ |K_t[o]|)^(2^-t)`: the norm in Linf bounds the spectral one of a symmetric operator. No frequencies, so nothing depends on the image; kernels grow to
 * `2^t (k − 1) + 1` taps, so t = 1, 2, 3. {@link convBound} at a known size is tighter.
 *
 * @param kernel  - weights `[kh, kw, cin, cout]`; dilations change nothing.
 * @param options - see {@link SpatialGramOptions}.
 * @throws {@link ShapeError} if the kernel has not four axes; {@link NumericsError} if a weight is not finite.
 * @see {@link https://arxiv.org/abs/2402.00240 | Delattre et al. 2024}. Differs from it: strides, and rounding is part of the bound.
 *
 * @example
 * convSpatialGramBound(kernel, { iterations: 3 }).value;
 */
export function convSpatialGramBound(kernel: KernelInput, options: SpatialGramOptions = {}): Bound<'upper'> {
  expectKnownKeys('convSpatialGramBound', options, ['strides', 'iterations']);
  const { strides = 1, iterations = 2 } = options;
  const [sy, sx] = pairOf(strides);
  expectInteger('convSpatialGramBound', 'strides', Math.min(sy, sx), 1);
  expectInteger('convSpatialGramBound', 'iterations', iterations, 0, 6);
  const read = readKernel('convSpatialGramBound', kernel, ['kh', 'kw', 'cin', 'cout']);
  let taps = tapsOf(read, [sy, sx], smallerSide(read.shape, [sy, sx]));
  const scales: number[] = [];
  const slacks: number[] = [];
  for (let t = 0; t < iterations; t++) {
    const [along, down] = largestSums(taps);
    const scale = Math.sqrt(along * down);
    if (scale === 0) break;
    const unit = new Map([...taps.at].map(([key, tap]) => [key, { ...tap, matrix: tap.matrix.map((value) => value / scale) }]));
    // An entry sums a product for every column and pair of taps; all errors together are at most this share of the product of both sums, which is 1.
    slacks.push((taps.cols + taps.at.size + 16) * 2 * UNIT);
    scales.push(scale);
    taps = square({ ...taps, at: unit });
  }
  const [along, down] = largestSums(taps);
  let bound = roundUp(Math.sqrt(along * down), 4);
  for (let t = scales.length - 1; t >= 0; t--) bound = roundUp(scales[t]! * Math.sqrt(bound + slacks[t]!), 8);
  return globalBound(bound, 'upper', 'L2', `spatial-gram-iteration(${iterations})`);
}
