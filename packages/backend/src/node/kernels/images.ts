import type { TransformAttrs, TransformInputs } from '@tensorflow/tfjs-core';
import { TYPES } from '../types.js';
import { text, type } from './attribute.js';
import { composedKernel } from './kernel.js';

export const transform = composedKernel<TransformInputs, TransformAttrs>('Transform', (tf, { image, transforms }, { interpolation, fillMode, fillValue, outputShape }) => {
  const $image = tf.input(image);
  return tf.run(
    'ImageProjectiveTransformV3',
    [type('dtype', $image.dtype), text('interpolation', interpolation.toUpperCase()), text('fill_mode', fillMode.toUpperCase())],
    [$image, tf.input(transforms), tf.ints(outputShape ?? image.shape.slice(1, 3)), tf.scalar(fillValue, TYPES.TF_FLOAT)],
  );
});
