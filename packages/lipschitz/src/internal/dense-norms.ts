import type { OperatorNorm, SoundBound } from '@moe/core';
import type { Kernel } from './arrays.js';
import { globalBound } from './bounds.js';
import { type ComplexMatrix, gramBound, startGram, stepGram } from './gram.js';
import { roundUp } from './rounding.js';

export function transpose(rows: number, cols: number, values: Float64Array): Float64Array {
  const out = new Float64Array(values.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out[j * rows + i] = values[i * cols + j]!;
  return out;
}

/** The kernel, transposed where that leaves fewer rows than columns. */
function wide({ shape, values }: Kernel): ComplexMatrix {
  const [rows, cols] = shape as [number, number];
  return rows <= cols ? { rows, cols, re: values } : { rows: cols, cols: rows, re: transpose(rows, cols, values) };
}

/** Bound of `x ↦ x K` for a kernel `[in, out]`. */
export function denseNorm(kernel: Kernel, norm: OperatorNorm, iterations: number): SoundBound {
  if (norm === 'L2') {
    let state = startGram(wide(kernel));
    for (let t = 0; t < iterations; t++) state = stepGram(state);
    return globalBound(gramBound(state), 'upper', norm, `gram-iteration(${iterations})`);
  }
  const [inputs, outputs] = kernel.shape as [number, number];
  const sums = new Float64Array(norm === 'Linf' ? outputs : inputs);
  kernel.values.forEach((value, k) => {
    const index = norm === 'Linf' ? k % outputs : Math.floor(k / outputs);
    sums[index] = sums[index]! + Math.abs(value);
  });
  return globalBound(roundUp(Math.max(...sums), Math.max(inputs, outputs) + 8), 'exact', norm, 'absolute-sums');
}
