import type { Bound } from '@moe/core';
import { expectKnownKeys } from '@moe/core';
import { type KernelInput, moderate, readKernel } from '../internal/arrays.js';
import { globalBound } from '../internal/bounds.js';
import { complexSingularValues } from '../internal/complex-svd.js';
import { type ConvOptions, convOperator } from '../internal/conv-geometry.js';
import { convSymbol, halfOf } from '../internal/conv-symbol.js';
import { roundUp } from '../internal/rounding.js';

/** Singular values of a circular convolution. */
export interface ConvSingularValues {
  /** The largest first; zeros of a strided convolution that reads only some pixels are left out. */
  readonly values: Float64Array;
  /** How far each may be off by the rounding of float64. */
  readonly error: number;
  /** The largest, rounded outward. */
  readonly bound: Bound<'exact'>;
}

/**
 * All singular values of a 2-D convolution with circular padding.
 *
 * @remarks
 * The convolution is block diagonal in the frequencies: the values are those of one complex matrix a frequency, `[cout, cin]`, or `[cout, s² cin]` of its polyphase parts with
 * strides s. Half the frequencies are conjugates of the others and not computed. Reflections to two diagonals, then QR steps, in float64.
 *
 * With zero padding a convolution has other singular values; {@link convBound} bounds the largest.
 *
 * @param kernel  - weights `[kh, kw, cin, cout]`, as in a tfjs convolution.
 * @param options - image size, strides and dilations, as in {@link ConvOptions}; the size must be a multiple of the stride.
 * @throws {@link ArgumentError} if the kernel does not fit the image.
 * @see {@link https://arxiv.org/abs/1805.10408 | Sedghi et al. 2019}. Differs from it: strides and dilations.
 *
 * @example
 * const { values, bound } = convSingularValues(kernel, { inputSize: 32 });
 */
export function convSingularValues(kernel: KernelInput, options: Omit<ConvOptions, 'padding'>): ConvSingularValues {
  expectKnownKeys('convSingularValues', options, ['inputSize', 'strides', 'dilations']);
  const read = readKernel('convSingularValues', kernel, ['kh', 'kw', 'cin', 'cout']);
  const { kernel: scaled, unit } = moderate(read);
  const operator = convOperator('convSingularValues', scaled, { ...options, padding: 'circular' });
  const symbol = convSymbol(operator);
  const [height, width] = symbol.periods;
  // A kernel without shifts along an axis has the same matrix at all its frequencies.
  const repeats = (operator.height.outputs / height) * (operator.width.outputs / width);
  const all: number[] = [];
  let error = 0;
  for (const { frequency, copies } of halfOf(symbol.periods)) {
    const found = complexSingularValues(symbol.at(frequency));
    for (let copy = 0; copy < repeats * copies; copy++) for (const value of found.values) all.push(value * unit);
    error = Math.max(error, found.error);
  }
  const values = Float64Array.from(all).sort().reverse();
  const total = roundUp(error + symbol.error, 1) * unit;
  return { values, error: total, bound: globalBound(roundUp(values[0]! + total, 1), 'exact', 'L2', 'polyphase-svd') };
}
