import type { Tensor } from '@tensorflow/tfjs-core';
import { NumericsError, ShapeError, expectArgument } from '@moe/core';

/** Numbers of a kernel: a tfjs tensor, or its shape and row-major values (which may be float64). */
export type KernelInput = Tensor | { readonly shape: readonly number[]; readonly values: ArrayLike<number> };

/** One number a channel: a tfjs vector or an array. */
export type VectorInput = Tensor | ArrayLike<number>;

/** Values of a kernel, copied, so that later training does not change a description. */
export interface Kernel {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

function finite(caller: string, name: string, values: ArrayLike<number>): Float64Array {
  const copy = Float64Array.from(values);
  const wrong = copy.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw new NumericsError(`${caller}: ${name}[${wrong}] must be finite, got ${copy[wrong]}. A bound of such weights would mean nothing.`);
  return copy;
}

export function readKernel(caller: string, kernel: KernelInput, axes: readonly string[]): Kernel {
  const { shape } = kernel;
  if (shape.length !== axes.length || shape.some((size) => size < 1)) {
    throw new ShapeError(`${caller}: kernel must have shape [${axes.join(',')}] without empty axes, got [${shape.join(',')}].`);
  }
  const values = finite(caller, 'kernel', 'dataSync' in kernel ? kernel.dataSync() : kernel.values);
  const size = shape.reduce((product, length) => product * length, 1);
  expectArgument(caller, 'kernel.values', values.length === size, `have ${size} entries for shape [${shape.join(',')}]`, values.length);
  return { shape: [...shape], values };
}

export function readVector(caller: string, name: string, vector: VectorInput): Float64Array {
  const values = finite(caller, name, 'dataSync' in vector ? vector.dataSync() : vector);
  expectArgument(caller, name, values.length > 0, 'have at least one entry', values.length);
  return values;
}

/** A copy of `kernel` with every slice along `axis` multiplied by its factor. */
export function scaleAlong({ shape, values }: Kernel, axis: number, factors: Float64Array): Kernel {
  const inner = shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  const length = shape[axis]!;
  return { shape, values: values.map((value, i) => value * factors[Math.floor(i / inner) % length]!) };
}

/** The kernel divided by the power of two next to its largest entry, which rounds nothing and keeps squares within the range of a float. */
export function moderate({ shape, values }: Kernel): { readonly kernel: Kernel; readonly unit: number } {
  const largest = values.reduce((best, value) => Math.max(best, Math.abs(value)), 0);
  const unit = largest === 0 ? 1 : 2 ** Math.floor(Math.log2(largest));
  return { kernel: { shape, values: values.map((value) => value / unit) }, unit };
}
