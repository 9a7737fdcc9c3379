// Kernels that take types or values in tfjs which TensorFlow's operation of that name refuses, or takes for something else.
import { type DiagInputs, type LeakyReluAttrs, type LeakyReluInputs, type MeanAttrs, type MeanInputs, type RoundInputs, type SignInputs, type StepAttrs, type StepInputs, util } from '@tensorflow/tfjs-core';
import { TYPES } from '../types.js';
import { bool, float, type } from './attribute.js';
import { composedKernel } from './kernel.js';
import { cast } from './operations.js';

export const diag = composedKernel<DiagInputs, unknown>('Diag', (tf, { x }) => {
  const diagonal = tf.input(x);
  const numbers = diagonal.dtype === TYPES.TF_BOOL ? cast(tf, diagonal, TYPES.TF_INT32) : diagonal;
  return cast(tf, tf.run('Diag', [type('T', numbers.dtype)], [numbers]), diagonal.dtype);
});

export const leakyRelu = composedKernel<LeakyReluInputs, LeakyReluAttrs>('LeakyRelu', (tf, { x }, { alpha }) =>
  tf.run('LeakyRelu', [type('T', TYPES.TF_FLOAT), float('alpha', alpha)], [cast(tf, tf.input(x), TYPES.TF_FLOAT)]),
);

/** Always float32, as everywhere in tfjs. */
export const mean = composedKernel<MeanInputs, MeanAttrs>('Mean', (tf, { x }, { axis, keepDims }) => {
  const axes = tf.ints(util.parseAxisParam(axis, x.shape));
  return tf.run('Mean', [bool('keep_dims', keepDims), type('T', TYPES.TF_FLOAT), type('Tidx', TYPES.TF_INT32)], [cast(tf, tf.input(x), TYPES.TF_FLOAT), axes]);
});

/** TensorFlow's makes zeros of int32. */
export const round = composedKernel<RoundInputs, unknown>('Round', (tf, { x }) => {
  const $x = tf.input(x);
  return tf.run($x.dtype === TYPES.TF_FLOAT ? 'Round' : 'Identity', [type('T', $x.dtype)], [$x]);
});

/** 0 of NaN, as everywhere in tfjs. */
export const sign = composedKernel<SignInputs, unknown>('Sign', (tf, { x }) => {
  const $x = tf.input(x);
  const attributes = [type('T', $x.dtype)];
  const signs = tf.run('Sign', attributes, [$x]);
  return $x.dtype === TYPES.TF_FLOAT ? tf.run('SelectV2', attributes, [tf.run('IsNan', attributes, [$x]), tf.scalar(0, $x.dtype), signs]) : signs;
});

/** 1 where positive, NaN where NaN, else `alpha`, in four operations instead of six. */
export const step = composedKernel<StepInputs, StepAttrs>('Step', (tf, { x }, { alpha }) => {
  const $x = tf.input(x);
  const numbers = cast(tf, $x, TYPES.TF_FLOAT);
  const [zero, one, below] = [0, 1, alpha].map((value) => tf.scalar(value, TYPES.TF_FLOAT));
  const select = [type('T', TYPES.TF_FLOAT)];
  const steps = tf.run('SelectV2', select, [tf.run('Greater', select, [numbers, zero!]), one!, below!]);
  return cast(tf, tf.run('SelectV2', select, [tf.run('IsNan', select, [numbers]), numbers, steps]), $x.dtype);
});
