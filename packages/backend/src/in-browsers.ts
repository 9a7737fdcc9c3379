import { BackendError } from '@moe/core';

/** What bundlers for browsers find in place of the Node part of this package. */
export async function registerTensorflow(): Promise<void> {
  throw new BackendError("useBackend: the engine 'tensorflow' runs in Node alone. Use 'wasm'.");
}

/** Called where the browser itself has no `navigator.gpu`. */
export async function createGpu(): Promise<never> {
  throw new BackendError("useBackend: this browser has no WebGPU, or shows it on secure pages alone. Serve the page over https or from localhost, use a recent Chrome, Edge or Safari, or the engine 'wasm'.");
}
