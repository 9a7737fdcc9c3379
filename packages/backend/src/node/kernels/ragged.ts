import type { RaggedGatherAttrs, RaggedRangeInputs, RaggedTensorToTensorAttrs, TensorInfo } from '@tensorflow/tfjs-core';
import { TYPES } from '../types.js';
import { int, text, type } from './attribute.js';
import { composedKernel, composedKernels } from './kernel.js';

/** tfjs' own types declare the lists as maps. */
interface GatherInputs {
  readonly paramsNestedSplits: readonly TensorInfo[];
  readonly paramsDenseValues: TensorInfo;
  readonly indices: TensorInfo;
}

interface ToTensorInputs {
  readonly shape: TensorInfo;
  readonly values: TensorInfo;
  readonly defaultValue: TensorInfo;
  readonly rowPartitionTensors: readonly TensorInfo[];
}

export const raggedGather = composedKernels<GatherInputs, RaggedGatherAttrs>('RaggedGather', (tf, { paramsNestedSplits, paramsDenseValues, indices }, { outputRaggedRank }) => {
  const values = tf.input(paramsDenseValues);
  return tf.runAll(
    'RaggedGather',
    [
      type('Tvalues', values.dtype),
      type('Tindices', TYPES.TF_INT32),
      type('Tsplits', TYPES.TF_INT32),
      int('PARAMS_RAGGED_RANK', paramsNestedSplits.length),
      int('OUTPUT_RAGGED_RANK', outputRaggedRank),
    ],
    [...paramsNestedSplits.map(tf.input), values, tf.input(indices)],
    outputRaggedRank + 1,
  );
});

export const raggedRange = composedKernels<RaggedRangeInputs, unknown>('RaggedRange', (tf, { starts, limits, deltas }) => {
  const inputs = [starts, limits, deltas].map(tf.input);
  return tf.runAll('RaggedRange', [type('T', inputs[0]!.dtype), type('Tsplits', TYPES.TF_INT32)], inputs, 2);
});

export const raggedTensorToTensor = composedKernel<ToTensorInputs, RaggedTensorToTensorAttrs>(
  'RaggedTensorToTensor',
  (tf, { shape, values, defaultValue, rowPartitionTensors }, { rowPartitionTypes }) => {
    const $values = tf.input(values);
    return tf.run(
      'RaggedTensorToTensor',
      [
        type('T', $values.dtype),
        type('Tindex', TYPES.TF_INT32),
        type('Tshape', TYPES.TF_INT32),
        int('num_row_partition_tensors', rowPartitionTensors.length),
        text('row_partition_types', rowPartitionTypes),
      ],
      [tf.input(shape), $values, tf.input(defaultValue), ...rowPartitionTensors.map(tf.input)],
    );
  },
);
