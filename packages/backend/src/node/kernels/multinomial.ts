import type { MultinomialAttrs, MultinomialInputs } from '@tensorflow/tfjs-core';
import { TYPES } from '../types.js';
import { type } from './attribute.js';
import { composedKernel } from './kernel.js';

/** Draws that depend on the seed alone. The stateful operation of the stock kernel goes on where its last call with that seed ended. */
export const multinomial = composedKernel<MultinomialInputs, MultinomialAttrs>('Multinomial', (tf, { logits }, { numSamples, seed, normalized }) => {
  const $logits = tf.input(logits);
  const scores = normalized ? tf.run('Log', [type('T', $logits.dtype)], [$logits]) : $logits;
  // Without a seed tfjs passes a fraction.
  const pair = tf.ints([Math.trunc(seed), Math.trunc((seed % 1) * 2 ** 31)]);
  const attributes = [type('T', $logits.dtype), type('Tseed', TYPES.TF_INT32), type('output_dtype', TYPES.TF_INT32)];
  return tf.run('StatelessMultinomial', attributes, [scores, tf.scalar(numSamples, TYPES.TF_INT32), pair]);
});
