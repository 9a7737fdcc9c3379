import { type DataType, type NamedAttrMap, type NamedTensorInfoMap, type TensorInfo, getKernel } from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';

/** Makes intermediate results of one kernel; all but the returned one are freed by {@link withScratch}. */
export interface Scratch {
  /** Runs another kernel of the engine. */
  run(kernelName: string, inputs: NamedTensorInfoMap, attrs?: NamedAttrMap): TensorInfo;
  /** Takes over a result made elsewhere. */
  own(info: TensorInfo): TensorInfo;
  /** Uninitialised memory. */
  make(shape: readonly number[], dtype?: DataType): TensorInfo;
  /** Memory of zeros. */
  zeros(shape: readonly number[], dtype?: DataType): TensorInfo;
  reshape(x: TensorInfo, shape: readonly number[]): TensorInfo;
  transpose(x: TensorInfo, perm: readonly number[]): TensorInfo;
}

/**
 * Runs the body of a kernel and frees what it made, also when it throws.
 *
 * @param body - returns one tensor made through the scratch; an input must be passed through {@link Scratch.reshape} first.
 */
export function withScratch(backend: BackendWasm, body: (scratch: Scratch) => TensorInfo): TensorInfo {
  const made: TensorInfo[] = [];
  const track = (info: TensorInfo): TensorInfo => {
    made.push(info);
    return info;
  };
  const scratch: Scratch = {
    run: (kernelName, inputs, attrs = {}) => track(runKernel(backend, kernelName, inputs, attrs)),
    own: track,
    make: (shape, dtype = 'float32') => track(backend.makeOutput([...shape], dtype)),
    zeros: (shape, dtype = 'float32') => track(makeZeros(backend, shape, dtype)),
    reshape: (x, shape) => scratch.run('Reshape', { x }, { shape: [...shape] }),
    transpose: (x, perm) => scratch.run('Transpose', { x }, { perm: [...perm] }),
  };
  let result: TensorInfo | undefined;
  try {
    result = body(scratch);
    return result;
  } finally {
    for (const info of made) if (info !== result) backend.disposeData(info.dataId);
  }
}

function runKernel(backend: BackendWasm, kernelName: string, inputs: NamedTensorInfoMap, attrs: NamedAttrMap): TensorInfo {
  return getKernel(kernelName, 'wasm').kernelFunc({ inputs, attrs, backend }) as TensorInfo;
}

/** A new tensor of zeros that the caller owns. */
export function makeZeros(backend: BackendWasm, shape: readonly number[], dtype: DataType = 'float32'): TensorInfo {
  const info = backend.makeOutput([...shape], dtype);
  backend.typedArrayFromHeap(info).fill(0);
  return info;
}
