import { type KernelFunc, type NamedTensorInfoMap, type TensorInfo, getKernel } from '@tensorflow/tfjs-core';
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';

/** Inputs of a kernel: a tensor, or a list or record of inputs. */
type Inputs = TensorInfo | null | undefined | readonly Inputs[] | { readonly [name: string]: Inputs };

const isTensor = (inputs: object): inputs is TensorInfo => 'dataId' in inputs;

function mapInputs(inputs: Inputs, change: (tensor: TensorInfo) => TensorInfo): Inputs {
  if (inputs === null || inputs === undefined) return inputs;
  if (Array.isArray(inputs)) return inputs.map((input) => mapInputs(input, change));
  if (isTensor(inputs)) return change(inputs);
  return Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, mapInputs(input, change)]));
}

/** Complex tensors lie in two parts there. */
function toReference(reference: MathBackendCPU, backend: BackendWasm, { dataId, shape, dtype }: TensorInfo): TensorInfo {
  const values = backend.readSync(dataId);
  if (dtype !== 'complex64') return reference.makeTensorInfo(shape, dtype, values);
  const parts = values as Float32Array;
  const part = (first: 0 | 1): TensorInfo => reference.makeTensorInfo(shape, 'float32', parts.filter((_, i) => i % 2 === first));
  return getKernel('Complex', 'cpu').kernelFunc({ inputs: { real: part(0), imag: part(1) }, attrs: {}, backend: reference }) as TensorInfo;
}

/**
 * Runs a kernel of tfjs' engine `cpu` on copies and brings the results back: right for every type and argument, and slow.
 * For operations that no inner loop waits for.
 */
export function runReference(kernelName: string, { inputs, attrs = {}, backend }: Parameters<KernelFunc>[0]): TensorInfo | TensorInfo[] {
  const wasm = backend as BackendWasm;
  // An engine of its own, so that whatever the kernel leaves behind goes with it.
  const reference = new MathBackendCPU();
  // Its first tensor would print advice to use other engines.
  Object.assign(reference, { firstUse: false });
  const copies = mapInputs(inputs, (tensor) => toReference(reference, wasm, tensor)) as NamedTensorInfoMap;
  const results = getKernel(kernelName, 'cpu').kernelFunc({ inputs: copies, attrs, backend: reference });
  const bring = ({ dataId, shape, dtype }: TensorInfo): TensorInfo => wasm.makeOutput(shape, dtype, undefined, reference.readSync(dataId) as Float32Array);
  return Array.isArray(results) ? results.map(bring) : bring(results);
}
