import { expectKnownKeys } from '@moe/core';
import { type KernelInput, readKernel } from '../internal/arrays.js';
import { globalBound } from '../internal/bounds.js';
import { CONV_OPTIONS, type ConvOperator, type ConvOptions, convOperator, meetings } from '../internal/conv-geometry.js';
import { frobeniusNorm } from '../internal/gram.js';
import { type LinearMap, powerIterate } from '../internal/power-iteration.js';
import { UNIT } from '../internal/rounding.js';
import { type PowerIterationOptions, type PowerIterationResult, powerOptions } from './dense-power-iteration.js';

function convMap({ kernel: { shape, values }, height, width }: ConvOperator): LinearMap {
  const [kh, kw, cin, cout] = shape as [number, number, number, number];
  const [rows, columns] = [meetings(height), meetings(width)];
  const run = (source: Float64Array, transposed: boolean): Float64Array => {
    const size = transposed ? height.inputs * width.inputs * cin : height.outputs * width.outputs * cout;
    const target = new Float64Array(size);
    for (const r of rows) {
      for (const c of columns) {
        const x = (r.input * width.inputs + c.input) * cin;
        const y = (r.output * width.outputs + c.output) * cout;
        let k = (r.tap * kw + c.tap) * cin * cout;
        for (let i = 0; i < cin; i++) {
          for (let o = 0; o < cout; o++, k++) {
            if (transposed) target[x + i] = target[x + i]! + values[k]! * source[y + o]!;
            else target[y + o] = target[y + o]! + values[k]! * source[x + i]!;
          }
        }
      }
    }
    return target;
  };
  return {
    inputs: height.inputs * width.inputs * cin,
    apply: (x) => run(x, false),
    applyTransposed: (y) => run(y, true),
    error: 2 * kh * kw * cin * UNIT * Math.sqrt(height.outputs * width.outputs) * frobeniusNorm(values),
  };
}

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
