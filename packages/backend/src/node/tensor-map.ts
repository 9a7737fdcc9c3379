import type { DataId } from '@tensorflow/tfjs-core';
import type { Values } from './tensors.js';

/** What the engine knows of a tensor. */
export interface Entry {
  /** Number in the binding, or -1 as long as the values wait here. */
  id: number;
  readonly shape: readonly number[];
  readonly dtype: number;
  /** Values that are handed over when an operation first needs them. Results that wait to be computed have none yet. */
  values?: Values | null;
  refCount: number;
}

/** The engine's tensors, by the objects by which tfjs knows their data. */
export interface TensorMap {
  readonly size: number;
  /** The entry of a tensor that is here. */
  find(dataId: DataId): Entry | undefined;
  has(dataId: DataId): boolean;
  /** The entry of a tensor, which is moved here if it lies on another engine. */
  get(dataId: DataId): Entry;
  set(dataId: DataId, entry: Entry): void;
  delete(dataId: DataId): boolean;
}

/**
 * Keeps every entry as a property of the object itself: garbage collection of weak maps costs as much as an operation's call, and maps would keep what nobody can ask for any more.
 *
 * @param fetch - moves a tensor here.
 */
export function createTensorMap(fetch: (dataId: DataId) => void): TensorMap {
  const ENTRY = Symbol('tensor');
  type Holder = { [ENTRY]?: Entry | undefined };
  let size = 0;
  const find = (dataId: DataId): Entry | undefined => (dataId as Holder)[ENTRY];
  return {
    get size() {
      return size;
    },
    find,
    has: (dataId) => find(dataId) !== undefined,
    get(dataId) {
      if (find(dataId) === undefined) fetch(dataId);
      return find(dataId)!;
    },
    set(dataId, entry) {
      if (find(dataId) === undefined) size++;
      (dataId as Holder)[ENTRY] = entry;
    },
    delete(dataId) {
      if (find(dataId) === undefined) return false;
      size--;
      (dataId as Holder)[ENTRY] = undefined;
      return true;
    },
  };
}
