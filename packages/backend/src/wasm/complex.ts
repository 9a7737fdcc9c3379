import type { DataId } from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';

const COMPLEX = Symbol.for('moe.backend.complex');

type Taught = BackendWasm & { [COMPLEX]?: true };

/**
 * Lets a started wasm engine keep complex64 tensors: real and imaginary parts by turns, as tfjs hands them over. The engine allocates and writes them rightly
 * already, but reads only types that it knows. Doing it twice is the same as once.
 */
export function storeComplex(backend: BackendWasm): void {
  const taught = backend as Taught;
  if (taught[COMPLEX]) return;
  taught[COMPLEX] = true;
  const readSync = backend.readSync.bind(backend);
  backend.readSync = (dataId, start, end) => {
    const { dtype, shape } = backend.dataIdMap.get(dataId);
    if (dtype !== 'complex64') return readSync(dataId, start, end);
    return partsOf(backend, { dataId, shape }).slice(2 * (start ?? 0), end === undefined ? undefined : 2 * end);
  };
}

/** Real and imaginary parts by turns, in the engine's memory. */
export function partsOf(backend: BackendWasm, { dataId, shape }: { readonly dataId: DataId; readonly shape: number[] }): Float32Array {
  return backend.typedArrayFromHeap({ dataId, shape: [...shape, 2], dtype: 'float32' }) as Float32Array;
}
