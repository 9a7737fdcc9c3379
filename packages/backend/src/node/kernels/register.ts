import { add } from './bias.js';
import { CONVOLUTION_KERNELS } from './convolutions.js';
import { TAP_KERNELS } from './convolve-by-taps.js';
import { FUSED_CONVOLUTION_KERNELS } from './fused-convolutions.js';
import { einsum } from './einsum.js';
import { ELEMENTWISE_KERNELS } from './elementwise.js';
import { gather } from './gather.js';
import { transform } from './images.js';
import { type TensorflowKernel, installKernel } from './kernel.js';
import { matMul } from './mat-mul.js';
import { multinomial } from './multinomial.js';
import { POOLING_KERNELS } from './pooling.js';
import { raggedGather, raggedRange, raggedTensorToTensor } from './ragged.js';
import { scatterNd } from './scatter.js';
import { bitwiseAnd, denseBincount, searchSorted } from './search.js';
import { sparseFillEmptyRows, sparseReshape, sparseSegmentMean, sparseSegmentSum } from './sparse.js';
import { STRING_COMPARISONS } from './strings-order.js';
import { stringNGrams, stringSplit, stringToHashBucketFast } from './strings.js';
import { diag, leakyRelu, mean, round, sign, step } from './types-of-inputs.js';

/** Kernels that `@tensorflow/tfjs-node-gpu` lacks, or that take more here than there. */
const TENSORFLOW_KERNELS: readonly TensorflowKernel[] = [
  ...CONVOLUTION_KERNELS,
  ...TAP_KERNELS,
  ...ELEMENTWISE_KERNELS,
  ...FUSED_CONVOLUTION_KERNELS,
  ...POOLING_KERNELS,
  ...STRING_COMPARISONS,
  add,
  bitwiseAnd,
  denseBincount,
  diag,
  einsum,
  gather,
  leakyRelu,
  matMul,
  mean,
  multinomial,
  raggedGather,
  raggedRange,
  raggedTensorToTensor,
  round,
  scatterNd,
  searchSorted,
  sign,
  sparseFillEmptyRows,
  sparseReshape,
  sparseSegmentMean,
  sparseSegmentSum,
  step,
  stringNGrams,
  stringSplit,
  stringToHashBucketFast,
  transform,
];

/** Adds our kernels to the engine, after those of `@tensorflow/tfjs-node-gpu`. */
export function registerKernels(engine: string): void {
  for (const kernel of TENSORFLOW_KERNELS) installKernel(kernel, engine);
}
