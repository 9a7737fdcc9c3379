// Sparse matrices as tfjs has them, with int32 indices; TensorFlow wants int64 in some.
import type { SparseFillEmptyRowsInputs, SparseReshapeInputs, SparseSegmentMeanInputs } from '@tensorflow/tfjs-core';
import { TYPES } from '../types.js';
import { type } from './attribute.js';
import { composedKernel, composedKernels } from './kernel.js';
import { cast } from './operations.js';

export const sparseReshape = composedKernels<SparseReshapeInputs, unknown>('SparseReshape', (tf, { inputIndices, inputShape, newShape }) =>
  tf
    .runAll('SparseReshape', [], [inputIndices, inputShape, newShape].map((x) => cast(tf, tf.input(x), TYPES.TF_INT64)), 2)
    .map((x) => cast(tf, x, TYPES.TF_INT32)),
);

export const sparseFillEmptyRows = composedKernels<SparseFillEmptyRowsInputs, unknown>('SparseFillEmptyRows', (tf, { indices, values, denseShape, defaultValue }) => {
  const $values = tf.input(values);
  const long = [indices, denseShape].map((x) => cast(tf, tf.input(x), TYPES.TF_INT64));
  const [rows, filled, empty, back] = tf.runAll('SparseFillEmptyRows', [type('T', $values.dtype)], [long[0]!, $values, long[1]!, tf.input(defaultValue)], 4);
  return [cast(tf, rows!, TYPES.TF_INT32), filled!, empty!, cast(tf, back!, TYPES.TF_INT32)];
});

/** Sum or mean of the chosen rows in every segment; means are computed in float32, and truncated for int32. */
const segments = (name: 'SparseSegmentMean' | 'SparseSegmentSum') =>
  composedKernel<SparseSegmentMeanInputs, unknown>(name, (tf, { data, indices, segmentIds }) => {
    const $data = tf.input(data);
    const values = name === 'SparseSegmentMean' ? cast(tf, $data, TYPES.TF_FLOAT) : $data;
    const attributes = [type('T', values.dtype), type('Tidx', TYPES.TF_INT32), type('Tsegmentids', TYPES.TF_INT32)];
    return cast(tf, tf.run(name, attributes, [values, tf.input(indices), tf.input(segmentIds)]), $data.dtype);
  });

export const sparseSegmentMean = segments('SparseSegmentMean');
export const sparseSegmentSum = segments('SparseSegmentSum');
