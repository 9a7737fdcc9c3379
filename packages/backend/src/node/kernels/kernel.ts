import { type KernelConfig, type KernelFunc, type NamedTensorInfoMap, type TensorInfo, getKernel, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core';
import { BackendError } from '@moe/core';
import { markAsOurs } from '../../ours.js';
import { type Engine, type Node, type Operations, compute } from './operations.js';

/** Inputs as a kernel gets them: tfjs declares that each may be missing. */
type Given<Inputs> = { readonly [Name in keyof Inputs]: Exclude<Inputs[Name], undefined> };

/** What a kernel is called with. */
export interface KernelCall<Inputs, Attrs> {
  readonly inputs: Given<Inputs>;
  readonly attrs: Attrs;
  readonly engine: Engine;
}

/** A kernel for the engine `tensorflow`. */
export interface TensorflowKernel {
  readonly kernelName: string;
  /** `undefined` where the kernel of `@tensorflow/tfjs-node-gpu` is to do the work. */
  readonly run: (call: Parameters<KernelFunc>[0]) => TensorInfo | TensorInfo[] | undefined;
}

/** Declares a kernel with the types of its inputs and attributes, as tfjs documents them. */
export function tensorflowKernel<Inputs, Attrs>(kernelName: string, run: (call: KernelCall<Inputs, Attrs>) => TensorInfo | TensorInfo[] | undefined): TensorflowKernel {
  return {
    kernelName,
    run: ({ inputs, attrs, backend }) => run({ inputs: inputs as NamedTensorInfoMap & Given<Inputs>, attrs: (attrs ?? {}) as Attrs, engine: backend as Engine }),
  };
}

/** Declares a kernel with one result that operations of TensorFlow make of its inputs. */
export const composedKernel = <Inputs, Attrs>(kernelName: string, body: (tf: Operations, inputs: Given<Inputs>, attrs: Attrs) => Node): TensorflowKernel =>
  tensorflowKernel<Inputs, Attrs>(kernelName, ({ inputs, attrs, engine }) => compute(engine, (tf) => [body(tf, inputs, attrs)])[0]);

/** Declares a kernel with several results that operations of TensorFlow make of its inputs. */
export const composedKernels = <Inputs, Attrs>(kernelName: string, body: (tf: Operations, inputs: Given<Inputs>, attrs: Attrs) => Node[]): TensorflowKernel =>
  tensorflowKernel<Inputs, Attrs>(kernelName, ({ inputs, attrs, engine }) => compute(engine, (tf) => body(tf, inputs, attrs)));

/** Registers a kernel in front of the one that is there. */
export function installKernel({ kernelName, run }: TensorflowKernel, engine: string): void {
  const stock = getKernel(kernelName, engine) as KernelConfig | undefined;
  if (stock !== undefined) unregisterKernel(kernelName, engine);
  const kernelFunc: KernelFunc = (call) => {
    const result = run(call) ?? stock?.kernelFunc(call);
    if (result === undefined) throw new BackendError(`${kernelName}: the engine '${engine}' does not support these arguments.`);
    return result;
  };
  registerKernel(markAsOurs({ ...stock, kernelName, backendName: engine, kernelFunc }));
}
