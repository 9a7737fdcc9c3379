import type { OperatorNorm, SoundBound } from '@moe/core';
import { type Kernel, moderate } from './arrays.js';
import { globalBound } from './bounds.js';
import { type ComplexMatrix, frobeniusNorm, gramBound, startGram, stepGram } from './gram.js';
import { gramSlack, rowGram } from './matrix/hermitian.js';
import { provedLimit } from './matrix/proved-norm.js';
import { transposed } from './real-matrix.js';
import { roundUp } from './rounding.js';

/** The kernel, transposed where that leaves fewer rows than columns. */
function wide({ shape, values }: Kernel): ComplexMatrix {
  const [rows, cols] = shape as [number, number];
  return rows <= cols ? { rows, cols, re: values } : { rows: cols, cols: rows, re: transposed(values, rows, cols) };
}

function provedNorm(matrix: ComplexMatrix): number {
  const error = roundUp(gramSlack(matrix.cols) * frobeniusNorm(matrix.re) ** 2, 4);
  return roundUp(Math.sqrt(provedLimit(1, () => ({ matrix: rowGram(matrix), error }))), 1);
}

/** Bound of `x ↦ x K` for a kernel `[in, out]`; by a proof for the Gram matrix, or by Gram iteration. */
export function denseNorm(kernel: Kernel, norm: OperatorNorm, iterations?: number): SoundBound {
  if (norm === 'L2') {
    const { kernel: scaled, unit } = moderate(kernel);
    if (iterations === undefined) return globalBound(roundUp(provedNorm(wide(scaled)) * unit, 1), 'upper', norm, 'gram-cholesky');
    let state = startGram(wide(scaled));
    for (let t = 0; t < iterations; t++) state = stepGram(state);
    return globalBound(roundUp(gramBound(state) * unit, 1), 'upper', norm, `gram-iteration(${iterations})`);
  }
  const [inputs, outputs] = kernel.shape as [number, number];
  const sums = new Float64Array(norm === 'Linf' ? outputs : inputs);
  kernel.values.forEach((value, k) => {
    const index = norm === 'Linf' ? k % outputs : Math.floor(k / outputs);
    sums[index] = sums[index]! + Math.abs(value);
  });
  return globalBound(roundUp(Math.max(...sums), Math.max(inputs, outputs) + 8), 'exact', norm, 'absolute-sums');
}
