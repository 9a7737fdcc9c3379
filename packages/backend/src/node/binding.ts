import { BackendError } from '@moe/core';
import { type Attribute, setAttribute } from './attributes.js';
import type { Context } from './context.js';
import type { Library, Pointer } from './library.js';
import { createSavedModels } from './saved-models/sessions.js';
import type { Status } from './status.js';
import { type Values, numbersToHandle, readHandle, withStringViews } from './tensors.js';
import { TYPES } from './types.js';

/** A tensor of TensorFlow, as tfjs is told of it. */
export interface TensorMetadata {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

/** Most outputs that an operation of tfjs has, `SplitV` over many rows included. */
const MAX_OUTPUTS = 65_536;

/**
 * The functions that `NodeJSKernelBackend` of `@tensorflow/tfjs-node-gpu` asks of its native addon, over TensorFlow's C interface.
 * Tensors are known to it by numbers.
 */
export type Binding = ReturnType<typeof createBinding>;

export function createBinding(library: Library, status: Status, context: Context) {
  const handles = new Map<number, Pointer>();
  let nextId = 0;
  const retvals = new BigUint64Array(MAX_OUTPUTS);
  const counts = new Int32Array(1);

  const handleOf = (id: number): Pointer => {
    const handle = handles.get(id);
    if (handle === undefined) throw new BackendError(`executeOp: tensor ${id} must exist, but it was disposed.`);
    return handle;
  };

  const adopt = (handle: Pointer): TensorMetadata => {
    const id = nextId++;
    handles.set(id, handle);
    const rank = library.TFE_TensorHandleNumDims(handle, status.pointer);
    const shape: number[] = [];
    for (let i = 0; i < rank; i++) shape.push(library.TFE_TensorHandleDim(handle, i, status.pointer));
    return { id, shape, dtype: library.TFE_TensorHandleDataType(handle) };
  };

  const run = (name: string, attributes: readonly Attribute[], inputs: readonly Pointer[], outputs: number): TensorMetadata[] => {
    const op = library.TFE_NewOp(context.pointer, name, status.pointer);
    if (!op) status.check(name);
    try {
      for (const attribute of attributes) setAttribute(library, status, op, attribute);
      // An input that is refused is missing in the call, which then says so: every look at the status is a call of its own.
      for (const input of inputs) library.TFE_OpAddInput(op, input, status.pointer);
      counts[0] = outputs;
      library.TFE_Execute(op, retvals, counts, status.pointer);
      status.check(name);
      const results: TensorMetadata[] = [];
      for (let i = 0; i < counts[0]; i++) results.push(adopt(retvals[i]!));
      return results;
    } finally {
      library.TFE_DeleteOp(op);
    }
  };

  const copyOfStrings = (handle: Pointer): number => run('StringJoin', [{ name: 'N', type: TYPES.TF_ATTR_INT, value: 1 }], [handle], 1)[0]!.id;

  return {
    ...TYPES,
    TF_Version: library.TF_Version(),
    createTensor(shape: readonly number[], dtype: number, values: Values): number {
      if (dtype === TYPES.TF_STRING) return withStringViews(library, status, shape, values as readonly Uint8Array[], copyOfStrings);
      const id = nextId++;
      handles.set(id, numbersToHandle(library, status, shape, dtype, values as NodeJS.TypedArray));
      return id;
    },
    deleteTensor(id: number): void {
      library.TFE_DeleteTensorHandle(handleOf(id));
      handles.delete(id);
    },
    tensorDataSync: (id: number): Values => readHandle(library, status, handleOf(id)),
    executeOp: (name: string, attributes: readonly Attribute[], inputs: readonly number[], outputs: number): TensorMetadata[] => run(name, attributes, inputs.map(handleOf), outputs),
    dtypeOf: (id: number): number => library.TFE_TensorHandleDataType(handleOf(id)),
    getNumOfTensors: (): number => handles.size,
    isUsingGpuDevice: (): boolean => context.devices.includes('GPU'),
    ...createSavedModels(library, status, context, handleOf, adopt),
  };
}
