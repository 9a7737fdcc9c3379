import '@tensorflow/tfjs-backend-cpu';
import { backend, env, getBackend, ready, setBackend } from '@tensorflow/tfjs-core';
import { type BackendWasm, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { BackendError, expectKnownKeys, expectOneOf } from '@moe/core';
import { type BackendDescription, describeBackend } from './describe-backend.js';
import type { EngineName } from './engines.js';
import { registerGradients } from './gradients/register.js';
import { registerWasmKernels } from './wasm/register.js';

/** Options of {@link useBackend}. */
export interface UseBackendOptions {
  /**
   * Where the three `.wasm` files of `@tensorflow/tfjs-backend-wasm` lie: a folder's address ending in `/`, or one address per file name.
   * Only browsers need it; in Node they are found beside the package. Read when the engine first starts.
   */
  wasmPaths?: string | Readonly<Record<string, string>>;
}

/**
 * Starts an engine of TensorFlow.js, with the kernels and gradients that training needs.
 *
 * @remarks
 * tfjs falls back to another engine without a word when one does not start; here that is an error with the remedy.
 * Calling it again, or with another name, is cheap and harmless.
 *
 * @param name - an engine, or `'auto'` for the fastest that works here.
 * @returns What runs now; see {@link describeBackend}.
 * @throws {@link ArgumentError} if the name or an option is unknown.
 * @throws {@link BackendError} if the engine does not start.
 *
 * @example
 * const { engine } = await useBackend('auto');
 */
export async function useBackend(name: 'auto' | EngineName = 'auto', options: UseBackendOptions = {}): Promise<BackendDescription> {
  expectOneOf('useBackend', 'name', name, ['auto', 'wasm', 'cpu']);
  expectKnownKeys('useBackend', options, ['wasmPaths']);
  if (name !== 'auto') {
    await start(name, options);
    return describeBackend();
  }
  try {
    await start('wasm', options);
  } catch {
    await start('cpu', options);
  }
  return describeBackend();
}

async function start(name: EngineName, { wasmPaths }: UseBackendOptions): Promise<void> {
  if (name === 'wasm') {
    if (wasmPaths !== undefined) setWasmPaths(wasmPaths as string);
    if (!(await env().getAsync('WASM_HAS_SIMD_SUPPORT'))) {
      throw new BackendError("useBackend: this machine's WebAssembly has no SIMD instructions. Use the engine 'cpu', or a browser or Node of this decade.");
    }
  }
  const started = await setBackend(name);
  await ready();
  if (!started || getBackend() !== name) throw new BackendError(`useBackend: the engine '${name}' did not start. ${REMEDIES[name]}`);
  registerGradients();
  if (name === 'wasm') await registerWasmKernels(backend() as BackendWasm);
}

const REMEDIES: Readonly<Record<EngineName, string>> = {
  wasm: "In a browser, serve the .wasm files of '@tensorflow/tfjs-backend-wasm/dist' and pass their folder as `wasmPaths`.",
  cpu: "Load only one copy of '@tensorflow/tfjs-core'; `npm ls @tensorflow/tfjs-core` shows them.",
};
