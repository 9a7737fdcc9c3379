import type { ScatterNdAttrs, ScatterNdInputs } from '@tensorflow/tfjs-core';
import { TYPES } from '../types.js';
import { type } from './attribute.js';
import { composedKernel } from './kernel.js';
import { reshape } from './operations.js';

/** Scatters into zeros; indices of rank 1 are a column. */
export const scatterNd = composedKernel<ScatterNdInputs, ScatterNdAttrs>('ScatterNd', (tf, { indices, updates }, { shape }) => {
  const [$indices, $updates] = [tf.input(indices), tf.input(updates)];
  const rows = $indices.shape.length === 1 ? reshape(tf, $indices, [-1, 1]) : $indices;
  return tf.run('ScatterNd', [type('T', $updates.dtype), type('Tindices', TYPES.TF_INT32)], [rows, $updates, tf.ints(shape)]);
});
