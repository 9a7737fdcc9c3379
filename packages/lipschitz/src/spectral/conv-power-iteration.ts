import { expectKnownKeys } from '@moe/core';
import { type KernelInput, readKernel } from '../internal/arrays.js';
import { globalBound } from '../internal/bounds.js';
import { CONV_OPTIONS, type ConvOptions, convOperator } from '../internal/conv-geometry.js';
import { convMap } from '../internal/linear-maps.js';
import { powerIterate } from '../internal/power-iteration.js';
import { type PowerIterationOptions, type PowerIterationResult, powerOptions } from './dense-power-iteration.js';

/**
 * Lower bound of the spectral norm of a 2-D convolution, with the image that reaches it.
 *
 * @remarks
 * Power iteration with the very convolution and its transpose, so for any stride, dilation and padding. In float64 on the host. See
 * {@link densePowerIteration} for what it is good for.
 *
 * @param kernel  - weights `[kh, kw, cin, cout]`.
 * @param options - see {@link ConvOptions} and {@link PowerIterationOptions}; `start` is an image in row-major `[h, w, cin]`.
 * @see {@link https://arxiv.org/abs/1804.04368 | Gouk et al. 2021}, Sec. 3.
 *
 * @example
 * convPowerIteration(kernel, { inputSize: 28, padding: 'same' }).bound.value; // at most convBound(...).value
 */
export function convPowerIteration(kernel: KernelInput, options: ConvOptions & PowerIterationOptions): PowerIterationResult {
  expectKnownKeys('convPowerIteration', options, [...CONV_OPTIONS, 'iterations', 'start']);
  const map = convMap(convOperator('convPowerIteration', readKernel('convPowerIteration', kernel, ['kh', 'kw', 'cin', 'cout']), options));
  const { iterations, start } = powerOptions('convPowerIteration', options, map.inputs);
  const { value, vector } = powerIterate(map, iterations, start);
  return { bound: globalBound(value, 'lower', 'L2', `power-iteration(${iterations})`), vector };
}
