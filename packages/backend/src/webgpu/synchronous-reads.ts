import { BackendError } from '@moe/core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

/**
 * Makes synchronous reads from the GPU an error with the remedy.
 *
 * @remarks
 * tfjs reads by way of a canvas, which Node has not; in Chromium on a software GPU it read nothing but zeros, and kept them as the tensor's values.
 * What the host still knows, as the numbers that a tensor was made of, can be read.
 */
export function refuseSynchronousReads(backend: WebGPUBackend): void {
  const readSync = backend.readSync.bind(backend);
  backend.readSync = (dataId) => {
    const { values, dtype } = backend.tensorMap.get(dataId);
    if ((values === null || values === undefined) && dtype !== 'string' && dtype !== 'complex64') {
      throw new BackendError(
        "dataSync: the engine 'webgpu' cannot be read synchronously. Use `await tensor.data()`; for routed layers, attacks and whatever else reads inside a step use the engine 'tensorflow' or 'wasm'.",
      );
    }
    return readSync(dataId);
  };
}
