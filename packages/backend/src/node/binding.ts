import { BackendError } from '@moe/core';
import { type Attribute, setAttribute } from './attributes.js';
import type { Context } from './context.js';
import { type Library, NOTHING, type Pointer } from './library.js';
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

/** Shape and type of all results of an operation, where they are known before. */
export type Known = Omit<TensorMetadata, 'id'>;

/** Most outputs that an operation of tfjs has, `SplitV` over many rows included. */
const MAX_OUTPUTS = 65_536;

/**
 * The functions that `NodeJSKernelBackend` of `@tensorflow/tfjs-node-gpu` asks of its native addon, over TensorFlow's C interface.
 * Tensors are known to it by numbers.
 */
export type Binding = ReturnType<typeof createBinding>;

export function createBinding(library: Library, status: Status, context: Context) {
  /** Addresses of the tensors, by their numbers. Those of deleted tensors are given again, since maps of ever new numbers cost more. */
  const handles: Pointer[] = [];
  const free: number[] = [];
  /** Addresses of results, by their halves. */
  const results = new Uint32Array(2 * MAX_OUTPUTS);
  const counts = new Int32Array(1);
  const [toResults, toCounts] = [library.address(results), library.address(counts)];
  /** Every operation in its turn: to make one anew takes longer. */
  const op = library.TFE_NewOp(context.pointer, 'NoOp', status.pointer);
  let holdsInputs = false;

  const handleOf = (id: number): Pointer => {
    const handle = handles[id] ?? NOTHING;
    if (handle === NOTHING) throw new BackendError(`executeOp: tensor ${id} must exist, but it was disposed.`);
    return handle;
  };

  const keep = (handle: Pointer): number => {
    const id = free.pop() ?? handles.length;
    handles[id] = handle;
    return id;
  };

  /** Takes a tensor out, which the caller then owns. */
  const forget = (id: number): Pointer => {
    const handle = handleOf(id);
    handles[id] = NOTHING;
    free.push(id);
    return handle;
  };

  const adopt = (handle: Pointer): TensorMetadata => {
    const rank = library.TFE_TensorHandleNumDims(handle, status.pointer);
    const shape: number[] = [];
    for (let i = 0; i < rank; i++) shape.push(library.TFE_TensorHandleDim(handle, i, status.pointer));
    return { id: keep(handle), shape, dtype: library.TFE_TensorHandleDataType(handle) };
  };

  /** The last operation keeps its inputs alive until the next one, or until this turn of the event loop is over. */
  const releaseLater = (): void => {
    if (holdsInputs) return;
    holdsInputs = true;
    setImmediate(() => {
      holdsInputs = false;
      library.TFE_OpReset(op, 'NoOp', NOTHING, status.pointer);
    }).unref();
  };

  const executeOp = (name: string, attributes: readonly Attribute[], inputs: readonly number[], outputs: number, known?: Known): TensorMetadata[] => {
    library.TFE_OpReset(op, name, NOTHING, status.pointer);
    status.check(name);
    releaseLater();
    for (const attribute of attributes) setAttribute(library, status, op, attribute);
    // An input that is refused is missing in the call, which then says so: every look at the status is a call of its own.
    for (const input of inputs) library.TFE_OpAddInput(op, handleOf(input), status.pointer);
    counts[0] = outputs;
    library.TFE_Execute(op, toResults, toCounts, status.pointer);
    status.check(name);
    const made: TensorMetadata[] = [];
    for (let i = 0; i < counts[0]; i++) {
      const handle = results[2 * i]! + results[2 * i + 1]! * 2 ** 32;
      made.push(known === undefined ? adopt(handle) : { id: keep(handle), shape: known.shape, dtype: known.dtype });
    }
    return made;
  };

  const copyOfStrings = (handle: Pointer): number => {
    const id = keep(handle);
    try {
      return executeOp('StringJoin', [{ name: 'N', type: TYPES.TF_ATTR_INT, value: 1 }], [id], 1)[0]!.id;
    } finally {
      forget(id);
    }
  };

  return {
    ...TYPES,
    TF_Version: library.TF_Version(),
    createTensor(shape: readonly number[], dtype: number, values: Values): number {
      if (dtype === TYPES.TF_STRING) return withStringViews(library, status, shape, values as readonly Uint8Array[], copyOfStrings);
      return keep(numbersToHandle(library, status, shape, dtype, values as NodeJS.TypedArray));
    },
    deleteTensor: (id: number): void => void library.TFE_DeleteTensorHandle(forget(id)),
    tensorDataSync: (id: number): Values => readHandle(library, status, handleOf(id)),
    executeOp,
    dtypeOf: (id: number): number => library.TFE_TensorHandleDataType(handleOf(id)),
    getNumOfTensors: (): number => handles.length - free.length,
    isUsingGpuDevice: (): boolean => context.devices.includes('GPU'),
    ...createSavedModels(library, status, context, handleOf, adopt),
  };
}
