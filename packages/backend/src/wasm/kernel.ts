import { type KernelConfig, type KernelFunc, type NamedTensorInfoMap, type TensorInfo, getKernel, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { isOurs, markAsOurs } from '../ours.js';

/** What a wasm kernel is called with. */
export interface KernelCall<Inputs, Attrs> {
  readonly inputs: { readonly [Name in keyof Inputs]: TensorInfo };
  readonly attrs: Attrs;
  readonly backend: BackendWasm;
}

/** A kernel for the wasm engine. */
export interface WasmKernel {
  readonly kernelName: string;
  /** New tensors, mostly one, or `undefined` where the kernel that tfjs has is to do the work. */
  readonly run: (call: Parameters<KernelFunc>[0]) => TensorInfo | TensorInfo[] | undefined;
}

/** Declares a kernel with the types of its inputs and attributes. */
export function wasmKernel<Inputs extends NamedTensorInfoMap, Attrs>(
  kernelName: string,
  run: (call: KernelCall<Inputs, Attrs>) => TensorInfo | TensorInfo[] | undefined,
): WasmKernel {
  return {
    kernelName,
    run: ({ inputs, attrs, backend }) => run({ inputs: inputs as KernelCall<Inputs, Attrs>['inputs'], attrs: (attrs ?? {}) as Attrs, backend: backend as BackendWasm }),
  };
}

/** Registers a kernel with tfjs' wasm engine, in front of the one that is there. Doing it twice is the same as once. */
export function installKernel({ kernelName, run }: WasmKernel): void {
  const present = getKernel(kernelName, 'wasm') as KernelConfig | undefined;
  if (present !== undefined && isOurs(present)) return;
  if (present !== undefined) unregisterKernel(kernelName, 'wasm');
  const kernelFunc: KernelFunc = (call) => {
    const result = run(call) ?? present?.kernelFunc(call);
    if (result === undefined) throw new Error(`${kernelName}: the wasm engine does not support these arguments.`);
    return result;
  };
  registerKernel(markAsOurs({ ...present, kernelName, backendName: 'wasm', kernelFunc }));
}
