import type { BitwiseAndInputs, DenseBincountAttrs, DenseBincountInputs, SearchSortedAttrs, SearchSortedInputs } from '@tensorflow/tfjs-core';
import { TYPES } from '../types.js';
import { bool, type } from './attribute.js';
import { composedKernel } from './kernel.js';

export const searchSorted = composedKernel<SearchSortedInputs, SearchSortedAttrs>('SearchSorted', (tf, { sortedSequence, values }, { side }) => {
  const $values = tf.input(values);
  return tf.run(side === 'left' ? 'LowerBound' : 'UpperBound', [type('T', $values.dtype), type('out_type', TYPES.TF_INT32)], [tf.input(sortedSequence), $values]);
});

export const denseBincount = composedKernel<DenseBincountInputs, DenseBincountAttrs>('DenseBincount', (tf, { x, weights }, { size, binaryOutput }) => {
  const $weights = tf.input(weights);
  const attributes = [type('Tidx', TYPES.TF_INT32), type('T', $weights.dtype), bool('binary_output', binaryOutput ?? false)];
  return tf.run('DenseBincount', attributes, [tf.input(x), tf.scalar(size, TYPES.TF_INT32), $weights]);
});

export const bitwiseAnd = composedKernel<BitwiseAndInputs, unknown>('BitwiseAnd', (tf, { a, b }) => tf.run('BitwiseAnd', [type('T', TYPES.TF_INT32)], [tf.input(a), tf.input(b)]));
