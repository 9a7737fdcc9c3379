import { BackendError } from '@moe/core';
import type { Gpu } from '../webgpu/gpu.js';

/**
 * Access to GPUs in Node, through Dawn, which the package `webgpu` contains.
 *
 * @throws {@link BackendError} if that package is not installed or has no binary for this platform.
 */
export async function createGpu(): Promise<Gpu> {
  try {
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    return create([]) as unknown as Gpu;
  } catch (error) {
    throw new BackendError("useBackend: the engine 'webgpu' needs the package 'webgpu' in Node. Run `npm install webgpu @tensorflow/tfjs-backend-webgpu`.", { cause: error });
  }
}
