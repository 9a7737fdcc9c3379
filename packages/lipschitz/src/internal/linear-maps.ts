import type { Kernel } from './arrays.js';
import { type ConvOperator, meetings } from './conv-geometry.js';
import { frobeniusNorm } from './gram.js';
import type { LinearMap } from './power-iteration.js';
import { UNIT } from './rounding.js';

/** `x ↦ x K` for a kernel `[in, out]`, on every one of `rows` rows of the input. */
export function denseMap({ shape, values }: Kernel, rows = 1): LinearMap {
  const [inputs, outputs] = shape as [number, number];
  return {
    inputs: rows * inputs,
    outputs: rows * outputs,
    terms: inputs,
    apply: (x) => {
      const y = new Float64Array(rows * outputs);
      for (let r = 0; r < rows; r++) {
        for (let i = 0; i < inputs; i++) {
          const factor = x[r * inputs + i]!;
          if (factor === 0) continue;
          for (let o = 0, k = i * outputs, to = r * outputs; o < outputs; o++, k++, to++) y[to] = y[to]! + factor * values[k]!;
        }
      }
      return y;
    },
    applyTransposed: (y) => {
      const x = new Float64Array(rows * inputs);
      for (let r = 0; r < rows; r++) {
        for (let i = 0; i < inputs; i++) {
          let sum = 0;
          for (let o = 0, k = i * outputs, from = r * outputs; o < outputs; o++, k++, from++) sum += y[from]! * values[k]!;
          x[r * inputs + i] = sum;
        }
      }
      return x;
    },
    error: 2 * inputs * UNIT * Math.sqrt(rows) * frobeniusNorm(values),
  };
}

/** A convolution of one image size, on row-major `[h, w, cin]`. */
export function convMap({ kernel: { shape, values }, height, width }: ConvOperator): LinearMap {
  const [kh, kw, cin, cout] = shape as [number, number, number, number];
  const [rows, columns] = [meetings(height), meetings(width)];
  const [inputs, outputs] = [height.inputs * width.inputs * cin, height.outputs * width.outputs * cout];
  const run = (source: Float64Array, transposed: boolean): Float64Array => {
    const target = new Float64Array(transposed ? inputs : outputs);
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
    inputs,
    outputs,
    terms: kh * kw * Math.max(cin, cout),
    apply: (x) => run(x, false),
    applyTransposed: (y) => run(y, true),
    error: 2 * kh * kw * cin * UNIT * Math.sqrt(height.outputs * width.outputs) * frobeniusNorm(values),
  };
}

/** Every entry times the factor of its channel, the last axis. */
export function scaleMap(factors: Float64Array, size: number): LinearMap {
  const apply = (x: Float64Array): Float64Array => x.map((value, i) => value * factors[i % factors.length]!);
  return { inputs: size, outputs: size, terms: 1, apply, applyTransposed: apply, error: 2 * UNIT * frobeniusNorm(factors) };
}

/** Mean of every channel over `pixels` pixels. */
export function meanMap(pixels: number, size: number): LinearMap {
  const channels = size / pixels;
  return {
    inputs: size,
    outputs: channels,
    terms: pixels + 1,
    apply: (x) => {
      const y = new Float64Array(channels);
      for (let i = 0; i < size; i++) y[i % channels] = y[i % channels]! + x[i]! / pixels;
      return y;
    },
    applyTransposed: (y) => Float64Array.from({ length: size }, (_, i) => y[i % channels]! / pixels),
    error: 2 * (pixels + 1) * UNIT,
  };
}
