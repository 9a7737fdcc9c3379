import type { AddInputs } from '@tensorflow/tfjs-core';
import { TYPES } from '../types.js';
import { text, type } from './attribute.js';
import { likeOf } from './elementwise.js';
import { tensorflowKernel } from './kernel.js';
import { compute } from './operations.js';

/** A vector added along the last axis is a bias: TensorFlow has an operation for it, and in a compiled function joins it with the convolution before it. */
export const add = tensorflowKernel<AddInputs, unknown>('Add', ({ inputs: { a, b }, engine }) => {
  const like = likeOf(a, b);
  if (like !== undefined) return engine.executeAlike('AddV2', [a, b], like);
  const isBias = a.dtype === 'float32' && b.dtype === 'float32' && a.shape.length > 1 && b.shape.length === 1 && b.shape[0] === a.shape.at(-1);
  if (!isBias) return undefined;
  return compute(engine, (tf) => [tf.run('BiasAdd', [type('T', TYPES.TF_FLOAT), text('data_format', 'NHWC')], [tf.input(a), tf.input(b)])])[0];
});
