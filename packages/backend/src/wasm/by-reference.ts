import { type KernelConfig, type KernelFunc, type TensorInfo, getKernel, getKernelsForBackend, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core';
import type { WasmKernel } from './kernel.js';
import { runReference } from './reference.js';

/** Kernels that tfjs' wasm engine lacks and that no training waits for. */
const LACKING = ['ComplexAbs', 'FFT', 'IFFT', 'RaggedGather', 'RaggedRange', 'RaggedTensorToTensor', 'StaticRegexReplace'];

export const REFERENCE_KERNELS: readonly WasmKernel[] = LACKING.map((kernelName) => ({ kernelName, run: (call) => runReference(kernelName, call) }));

/** Kernels that never look at values, or know complex ones. */
const ANY_TYPE: ReadonlySet<string> = new Set(['Complex', 'ExpandDims', 'Identity', 'Imag', 'Real', 'Reshape']);

const GUARDED = Symbol.for('moe.backend.guarded');

const isOther = (dtype: unknown): boolean => dtype === 'complex64' || dtype === 'string';

function hasOtherTypes({ inputs, attrs }: Parameters<KernelFunc>[0]): boolean {
  if (isOther(attrs?.['dtype'])) return true;
  // Some kernels take optional inputs and lists.
  for (const name in inputs) if (isOther((inputs[name] as TensorInfo | null | undefined)?.dtype)) return true;
  return false;
}

/**
 * Has every kernel of the wasm engine run by reference on complex tensors and strings, which compiled code takes for float32, or for memory at address 0.
 * Doing it twice is the same as once.
 */
export function guardTypes(): void {
  for (const kernel of getKernelsForBackend('wasm')) {
    const { kernelName, kernelFunc } = kernel;
    if (GUARDED in kernel || ANY_TYPE.has(kernelName) || (getKernel(kernelName, 'cpu') as KernelConfig | undefined) === undefined) continue;
    unregisterKernel(kernelName, 'wasm');
    const guarded: KernelFunc = (call) => (hasOtherTypes(call) ? runReference(kernelName, call) : kernelFunc(call));
    registerKernel({ ...kernel, kernelFunc: guarded, [GUARDED]: true } as KernelConfig);
  }
}
