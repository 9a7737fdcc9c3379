import type { Ignored } from './ignored.js';

export const IGNORED_ON_TENSORFLOW: readonly Ignored[] = [
  {
    reason: 'An error is expected in the exact words of another engine. Here it has the name of the operation in front, and some words of TensorFlow have changed.',
    specs: [
      'gather throws when index is out of bound',
      'raggedGather  OutOfBounds',
      'raggedGather  InvalidSplitsNotSorted',
      'raggedGather  InvalidSplitsNegative',
      'raggedGather  InvalidSplitsEmpty',
      'raggedGather  InvalidSplitsTooBig',
      'raggedGather  BadValuesShape',
      'raggedRange  RangeSizeOverflow',
      'raggedRange  InvalidArgsStarts',
      'raggedRange  InvalidArgsLimits',
      'raggedRange  InvalidArgsDeltas',
      'raggedRange  InvalidArgsShapeMismatch',
      'raggedRange  InvalidArgsZeroDelta',
      'sparseFillEmptyRows throw error if negative row',
      'sparseFillEmptyRows throw error if row exceeds number of dense rows',
      'sparseReshape throw error if negative output dim',
      'sparseSegmentMean throw error if segment ids are not increasing',
      'sparseSegmentMean throw error if segment id is out of range',
      'sparseSegmentMean throw error if segment id is out of range and negative',
      'sparseSegmentMean throw error if segment id is negative',
      'sparseSegmentMean throw error if segment id is negative and there is a hole',
      'sparseSegmentSum segments invalid 2',
      'sparseSegmentSum segments invalid 3',
      'sparseSegmentSum segments invalid 4',
      'sparseSegmentSum segments invalid 6',
      'sparseSegmentSum segments invalid 7',
    ],
  },
  {
    reason: 'Expects dy divided by the whole window, though the mean is over the part that is not padding; the gradient here agrees with central differences.',
    specs: [
      'avgPool gradient x=[3,3,1] f=[3,3] s=1 p=explicit',
    ],
  },
  {
    reason: 'The other engines take a window of 1x1 for the identity where the shapes agree, although at stride 2 with padding 1 it is not; TensorFlow computes it.',
    specs: [
      'pool max x=[2,2,3] f=[1,1] s=2 p=1 fractional outputs default rounding',
      'pool avg x=[2,2,3] f=[1,1] s=2 p=1 fractional outputs default rounding',
    ],
  },
  {
    reason: 'TensorFlow refuses a window that is larger than its input, where a tensor without elements is expected.',
    specs: [
      'avgPool3d x=[1,1,1,1,1] f=[1,1,3] s=1 p=valid',
    ],
  },
  {
    reason: "Takes 8x8 for the result of a convolution of 4x4 with 'same' padding and stride 1, which is 4x4; oneDNN refuses it.",
    specs: [
      'conv2dTranspose input=8x8x8,output=4x4x8,f=8,s=1,inDepth=8,p=same vec4',
    ],
  },
  {
    reason: 'TensorFlow counts every NaN as a value of its own.',
    specs: [
      'unique 1d tensor with NaN and Infinity',
    ],
  },
  {
    reason: 'Differs by one unit in the last place of float32, which is more than the absolute tolerance of the spec at this size.',
    specs: [
      'tan numbers exceed float32 precision',
    ],
  },
];
