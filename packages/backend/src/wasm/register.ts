import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { type Storage, deferFilterGradients } from '../deferred.js';
import { REFERENCE_KERNELS, guardTypes } from './by-reference.js';
import { storeComplex } from './complex.js';
import { type WasmKernel, installKernel } from './kernel.js';
import { batchMatMul, fusedMatMul } from './kernels/mat-mul.js';
import { batchNorm } from './kernels/batch-norm.js';
import { bincount } from './kernels/bincount.js';
import { BINARY_KERNELS } from './kernels/binary.js';
import { clip } from './kernels/clip.js';
import { COMPARISON_KERNELS } from './kernels/compare.js';
import { complex, imag, real } from './kernels/complex.js';
import { concat } from './kernels/concat.js';
import { conv2d } from './kernels/conv2d.js';
import { conv2dBackpropFilter } from './kernels/conv2d-backprop-filter.js';
import { conv2dBackpropInput } from './kernels/conv2d-backprop-input.js';
import { depthwiseBackpropFilter, depthwiseBackpropInput } from './kernels/depthwise-backprop.js';
import { einsum } from './kernels/einsum.js';
import { FUSED_CONVOLUTIONS } from './kernels/fused-convolution.js';
import { gather } from './kernels/gather.js';
import { maxPoolGrad } from './kernels/max-pool-grad.js';
import { oneHot } from './kernels/one-hot.js';
import { POOLING_KERNELS } from './kernels/pool.js';
import { prelu } from './kernels/prelu.js';
import { broadcastTo, reverse, slice, split, stridedSlice, tile } from './kernels/rearrange.js';
import { mean, sum } from './kernels/reduce.js';
import { leakyReluGrad, reluGrad } from './kernels/relu-grad.js';
import { select } from './kernels/select.js';
import { cast, identity } from './kernels/share.js';
import { sign } from './kernels/sign.js';
import { unsortedSegmentSum } from './kernels/unsorted-segment-sum.js';
import { linkNative } from './native.js';

/** Kernels that this package adds to tfjs' wasm engine, or puts in the place of slow ones. */
const WASM_KERNELS: readonly WasmKernel[] = [
  ...BINARY_KERNELS,
  ...COMPARISON_KERNELS,
  ...FUSED_CONVOLUTIONS,
  ...POOLING_KERNELS,
  ...REFERENCE_KERNELS,
  batchMatMul,
  batchNorm,
  bincount,
  broadcastTo,
  cast,
  clip,
  complex,
  concat,
  conv2d,
  conv2dBackpropFilter,
  conv2dBackpropInput,
  depthwiseBackpropFilter,
  depthwiseBackpropInput,
  einsum,
  fusedMatMul,
  gather,
  identity,
  imag,
  leakyReluGrad,
  maxPoolGrad,
  mean,
  oneHot,
  prelu,
  real,
  reluGrad,
  reverse,
  select,
  sign,
  slice,
  split,
  stridedSlice,
  sum,
  tile,
  unsortedSegmentSum,
];

/** Adds our kernels to a started wasm engine. Doing it twice is the same as once. */
export async function registerWasmKernels(backend: BackendWasm): Promise<void> {
  await linkNative(backend);
  storeComplex(backend);
  WASM_KERNELS.forEach(installKernel);
  deferFilterGradients(backend, { engineName: 'wasm', storageOf: (of) => (of as BackendWasm).dataIdMap as unknown as Storage, memory: ['id', 'memoryOffset'] });
  guardTypes();
}
