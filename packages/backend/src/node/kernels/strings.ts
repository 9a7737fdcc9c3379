import type { StringNGramsAttrs, StringNGramsInputs, StringSplitAttrs, StringSplitInputs, StringToHashBucketFastAttrs, StringToHashBucketFastInputs } from '@tensorflow/tfjs-core';
import { TYPES } from '../types.js';
import { bool, int, text, type } from './attribute.js';
import { composedKernel, composedKernels } from './kernel.js';
import { cast } from './operations.js';

export const stringNGrams = composedKernels<StringNGramsInputs, StringNGramsAttrs>('StringNGrams', (tf, { data, dataSplits }, attrs) =>
  tf.runAll(
    'StringNGrams',
    [
      text('separator', attrs.separator),
      int('ngram_widths', attrs.nGramWidths),
      text('left_pad', attrs.leftPad),
      text('right_pad', attrs.rightPad),
      int('pad_width', attrs.padWidth),
      bool('preserve_short_sequences', attrs.preserveShortSequences),
      type('Tsplits', TYPES.TF_INT32),
    ],
    [tf.input(data), tf.input(dataSplits)],
    2,
  ),
);

export const stringSplit = composedKernels<StringSplitInputs, StringSplitAttrs>('StringSplit', (tf, { input, delimiter }, { skipEmpty }) => {
  const [indices, tokens, shape] = tf.runAll('StringSplit', [bool('skip_empty', skipEmpty)], [tf.input(input), tf.input(delimiter)], 3);
  return [cast(tf, indices!, TYPES.TF_INT32), tokens!, cast(tf, shape!, TYPES.TF_INT32)];
});

export const stringToHashBucketFast = composedKernel<StringToHashBucketFastInputs, StringToHashBucketFastAttrs>('StringToHashBucketFast', (tf, { input }, { numBuckets }) =>
  cast(tf, tf.run('StringToHashBucketFast', [int('num_buckets', numBuckets)], [tf.input(input)]), TYPES.TF_INT32),
);
