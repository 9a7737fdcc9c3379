import type { BatchMatMulAttrs, BatchMatMulInputs } from '@tensorflow/tfjs-core';
import { bool, type } from './attribute.js';
import { tensorflowKernel } from './kernel.js';
import { compute } from './operations.js';
import { TYPES } from '../types.js';

/**
 * Products of two matrices by `MatMul`: a little faster than the stock kernel's `BatchMatMulV2`, and by more where the first has few rows, as the groups of a mixture of experts have.
 * With the second one transposed it is the other way round.
 */
export const matMul = tensorflowKernel<BatchMatMulInputs, BatchMatMulAttrs>('BatchMatMul', ({ inputs: { a, b }, attrs: { transposeA, transposeB }, engine }) => {
  if (transposeB || a.shape.length !== 2 || b.shape.length !== 2 || a.dtype !== 'float32') return undefined;
  return compute(engine, (tf) => [tf.run('MatMul', [type('T', TYPES.TF_FLOAT), bool('transpose_a', transposeA), bool('transpose_b', false)], [tf.input(a), tf.input(b)])])[0];
});
