import { BackendError } from '@moe/core';

/** What bundlers for browsers find in place of the Node part of this package. */
export async function registerTensorflow(): Promise<void> {
  throw new BackendError("useBackend: the engine 'tensorflow' runs in Node alone. Use 'wasm'.");
}
