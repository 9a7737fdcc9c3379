import type { KernelConfig, NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';

/** What a wasm kernel is called with. */
export interface KernelCall<Inputs, Attrs> {
  readonly inputs: { readonly [Name in keyof Inputs]: TensorInfo };
  readonly attrs: Attrs;
  readonly backend: BackendWasm;
}

/** Declares a kernel of the wasm engine with the types of its inputs and attributes. */
export function wasmKernel<Inputs extends NamedTensorInfoMap, Attrs>(
  kernelName: string,
  kernelFunc: (call: KernelCall<Inputs, Attrs>) => TensorInfo,
): KernelConfig {
  return {
    kernelName,
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs, backend }) =>
      kernelFunc({ inputs: inputs as KernelCall<Inputs, Attrs>['inputs'], attrs: (attrs ?? {}) as Attrs, backend: backend as BackendWasm }),
  };
}
