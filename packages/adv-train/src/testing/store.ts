import type { CheckpointStore } from '../checkpoint/store.js';

/** A store in memory, and everything that was ever written to it. */
export function memoryStore(initial?: Uint8Array): CheckpointStore & { readonly written: Uint8Array[] } {
  const written = initial === undefined ? [] : [initial];
  return {
    written,
    read: async () => written.at(-1),
    write: async (bytes) => {
      written.push(bytes);
    },
  };
}
