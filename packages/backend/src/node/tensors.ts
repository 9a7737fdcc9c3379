import { BackendError } from '@moe/core';
import type { Library, Pointer } from './library.js';
import type { Status } from './status.js';
import { BYTES, TYPES } from './types.js';

/** Values of a tensor as tfjs holds them: a typed array, or the bytes of every string. */
export type Values = NodeJS.TypedArray | readonly Uint8Array[];

/** Bytes of a `TF_TString`. */
const STRING_BYTES = 24;

const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function copy(library: Library, from: Pointer, bytes: number): Uint8Array<ArrayBuffer> {
  const to = new Uint8Array(bytes);
  if (bytes > 0) library.memcpy(to, from, bytes);
  return to;
}

function allocate(library: Library, shape: readonly number[], dtype: number, bytes: number): Pointer {
  return library.TF_AllocateTensor(dtype, BigInt64Array.from(shape, BigInt), shape.length, bytes);
}

/** Hands a tensor over to the eager runtime. */
export function toHandle(library: Library, status: Status, tensor: Pointer): Pointer {
  const handle = library.TFE_NewTensorHandle(tensor, status.pointer);
  library.TF_DeleteTensor(tensor);
  status.check('createTensor');
  return handle;
}

/** Copies numbers into a new tensor of TensorFlow. int64 comes as pairs of int32 or as `BigInt64Array`. */
export function numbersToHandle(library: Library, status: Status, shape: readonly number[], dtype: number, values: NodeJS.TypedArray): Pointer {
  const bytes = product(shape) * (BYTES[dtype] ?? 0);
  if (values.byteLength !== bytes) {
    throw new BackendError(`createTensor: values of the shape [${shape.join()}] must have ${bytes} bytes, got ${values.byteLength}.`);
  }
  const tensor = allocate(library, shape, dtype, bytes);
  if (bytes > 0) library.memcpy(library.TF_TensorData(tensor), values, bytes);
  return toHandle(library, status, tensor);
}

/**
 * Makes a tensor of strings that views memory of JavaScript, for one operation that copies them.
 * Strings written into the tensor itself would never be freed: TensorFlow frees the tensor's memory without asking what is in it.
 */
export function withStringViews<T>(library: Library, status: Status, shape: readonly number[], values: readonly Uint8Array[], use: (handle: Pointer) => T): T {
  if (values.length !== product(shape)) throw new BackendError(`createTensor: the shape [${shape.join()}] must have ${product(shape)} strings, got ${values.length}.`);
  const text = Buffer.concat([...values, new Uint8Array(1)]);
  const tensor = allocate(library, shape, TYPES.TF_STRING, values.length * STRING_BYTES);
  const start = library.TF_TensorData(tensor);
  let from = library.address(text);
  values.forEach(({ length }, i) => {
    const string = start + i * STRING_BYTES;
    library.TF_StringInit(string);
    library.TF_StringAssignView(string, from, length);
    from += length;
  });
  const handle = toHandle(library, status, tensor);
  try {
    return use(handle);
  } finally {
    library.TFE_DeleteTensorHandle(handle);
    text.fill(0);
  }
}

/** Copies the values of a tensor out of TensorFlow. */
export function readHandle(library: Library, status: Status, handle: Pointer): Values {
  const tensor = library.TFE_TensorHandleResolve(handle, status.pointer);
  status.check('tensorDataSync');
  try {
    const dtype = library.TF_TensorType(tensor);
    const size = library.TF_TensorByteSize(tensor);
    const data = library.TF_TensorData(tensor);
    if (dtype === TYPES.TF_STRING) {
      return Array.from({ length: size / STRING_BYTES }, (_, i) => {
        const string = data + i * STRING_BYTES;
        return copy(library, library.TF_StringGetDataPointer(string), library.TF_StringGetSize(string));
      });
    }
    const { buffer } = copy(library, data, size);
    switch (dtype) {
      case TYPES.TF_FLOAT:
      case TYPES.TF_COMPLEX64:
        return new Float32Array(buffer);
      case TYPES.TF_INT32:
        return new Int32Array(buffer);
      case TYPES.TF_INT64:
        return new BigInt64Array(buffer);
      case TYPES.TF_BOOL:
      case TYPES.TF_UINT8:
        return new Uint8Array(buffer);
      default:
        throw new BackendError(`tensorDataSync: the data type must be one that tfjs knows, got TensorFlow's type ${dtype}.`);
    }
  } finally {
    library.TF_DeleteTensor(tensor);
  }
}
