import { type KernelConfig, getKernel, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { conv2d } from './kernels/conv2d.js';
import { conv2dBackpropFilter } from './kernels/conv2d-backprop-filter.js';
import { conv2dBackpropInput } from './kernels/conv2d-backprop-input.js';
import { depthwiseBackpropFilter, depthwiseBackpropInput } from './kernels/depthwise-backprop.js';
import { unsortedSegmentSum } from './kernels/unsorted-segment-sum.js';
import { linkNative } from './native.js';

/** Kernels that this package adds to tfjs' wasm engine, or puts in the place of slow ones. */
export const WASM_KERNELS: readonly KernelConfig[] = [
  conv2d,
  conv2dBackpropFilter,
  conv2dBackpropInput,
  depthwiseBackpropFilter,
  depthwiseBackpropInput,
  unsortedSegmentSum,
];

/** Adds our kernels to a started wasm engine. Doing it twice is the same as once. */
export async function registerWasmKernels(backend: BackendWasm): Promise<void> {
  await linkNative(backend);
  for (const kernel of WASM_KERNELS) {
    const present = getKernel(kernel.kernelName, kernel.backendName);
    if (present === kernel) continue;
    if (present !== undefined) unregisterKernel(kernel.kernelName, kernel.backendName);
    registerKernel(kernel);
  }
}
