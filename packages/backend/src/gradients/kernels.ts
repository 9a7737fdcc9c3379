import { type NamedAttrMap, type NamedTensorMap, type Tensor, engine, getBackend, getKernel } from '@tensorflow/tfjs-core';

/** Tells whether the running engine has a kernel for a gradient; a composition of operations does the work elsewhere. */
export const hasKernel = (name: string): boolean => getKernel(name, getBackend()) !== undefined;

/** Runs a kernel with one output, on the tape. */
export const runKernel = (name: string, inputs: NamedTensorMap, attrs: object = {}): Tensor => engine().runKernel(name, inputs, attrs as NamedAttrMap) as Tensor;
