import '@tensorflow/tfjs-backend-cpu';
import { backend, env, findBackend, getBackend, ready, setBackend } from '@tensorflow/tfjs-core';
import { type BackendWasm, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { BackendError, expectInteger, expectKnownKeys, expectNumber, expectOneOf, isMoeError } from '@moe/core';
import { type BackendDescription, describeBackend } from './describe-backend.js';
import type { EngineName } from './engines.js';
import { watchBatchStatistics } from './gradients/batch-statistics.js';
import { registerGradients } from './gradients/register.js';
import { releaseEarly } from './gradients/release.js';
import { withoutProcessHandlers } from './wasm/process-handlers.js';
import { registerWasmKernels } from './wasm/register.js';
import { registerWebgpu } from './webgpu/register.js';

/** Options of {@link useBackend}. */
export interface UseBackendOptions {
  /**
   * Where the three `.wasm` files of `@tensorflow/tfjs-backend-wasm` lie: a folder's address ending in `/`, or one address per file name.
   * Only browsers need it; in Node they are found beside the package. Read when the engine first starts.
   */
  wasmPaths?: string | Readonly<Record<string, string>>;
  /** Threads of the engine `'tensorflow'`, within one operation; all cores by default. Read when the engine first starts. */
  threads?: number;
  /** Whether the engine `'tensorflow'` uses a GPU, if its TensorFlow has CUDA and there is one: the default. `describeBackend().devices` says what it found. Read when the engine first starts. */
  gpu?: boolean;
  /** Most of a GPU's memory that `'tensorflow'` takes, in [0.01, 1]; what it needs by default. Read when the engine first starts. */
  gpuMemoryFraction?: number;
}

/** What {@link useBackend} started. */
export interface BackendChoice extends BackendDescription {
  /** Engines before it in the order of `'auto'` that do not work here or are not for `'auto'` to choose, and why. */
  readonly passedOver: readonly { readonly engine: EngineName; readonly reason: string }[];
}

/** Engines in the order in which `'auto'` tries them. */
const FASTEST_FIRST: readonly EngineName[] = ['tensorflow', 'webgpu', 'wasm', 'cpu'];

/** Routed layers and attacks read numbers inside a step, which WebGPU cannot do. */
const NOT_BY_ITSELF = "useBackend: 'auto' does not choose the engine 'webgpu', because routed layers and attacks read synchronously. Ask for it by name.";

const REMEDIES: Readonly<Record<EngineName, string>> = {
  tensorflow: 'Run `npx moe-backend doctor`, which says what is missing.',
  webgpu: 'In Chrome, chrome://gpu says what the GPU can do.',
  wasm: "In a browser, serve the .wasm files of '@tensorflow/tfjs-backend-wasm/dist' and pass their folder as `wasmPaths`. In Node, reinstall that package.",
  cpu: "Load only one copy of '@tensorflow/tfjs-core'; `npm ls @tensorflow/tfjs-core` shows them.",
};

/**
 * Starts an engine of TensorFlow.js, with the kernels and gradients that training needs.
 *
 * @remarks
 * tfjs falls back to another engine without a word when one does not start; here that is an error with the remedy, and the engine that ran before stays.
 * Calling it again, or with another name, is cheap and harmless. Tensors stay on the engine that made them until they are used.
 *
 * @param name - an engine, or `'auto'` for the fastest of `'tensorflow'`, `'wasm'` and `'cpu'` that works here. `'webgpu'` has to be asked for: it cannot be read
 * synchronously, as routed layers and attacks do.
 * @returns What runs now, as {@link describeBackend} says it.
 * @throws {@link ArgumentError} if the name or an option is unknown.
 * @throws {@link BackendError} if the engine does not start.
 *
 * @example
 * const { engine } = await useBackend('auto');
 */
export async function useBackend(name: 'auto' | EngineName = 'auto', options: UseBackendOptions = {}): Promise<BackendChoice> {
  expectOneOf('useBackend', 'name', name, ['auto', ...FASTEST_FIRST]);
  expectKnownKeys('useBackend', options, ['wasmPaths', 'threads', 'gpu', 'gpuMemoryFraction']);
  if (options.threads !== undefined) expectInteger('useBackend', 'threads', options.threads, 1, 1024);
  if (options.gpu !== undefined) expectOneOf('useBackend', 'gpu', options.gpu, [true, false]);
  if (options.gpuMemoryFraction !== undefined) expectNumber('useBackend', 'gpuMemoryFraction', options.gpuMemoryFraction, 0.01, 1);
  const passedOver: { engine: EngineName; reason: string }[] = [];
  for (const engine of name === 'auto' ? FASTEST_FIRST : [name]) {
    try {
      if (engine !== name && engine === 'webgpu') throw new BackendError(NOT_BY_ITSELF);
      await start(engine, options);
      return { ...describeBackend(), passedOver };
    } catch (error) {
      if (!isMoeError(error, 'BACKEND') || name !== 'auto') throw error;
      passedOver.push({ engine, reason: error.message });
    }
  }
  throw new BackendError(`useBackend: no engine started. ${passedOver.map(({ reason }) => reason).join(' ')}`);
}

async function start(name: EngineName, { wasmPaths, ...engineOptions }: UseBackendOptions): Promise<void> {
  const previous = getBackend();
  if (name === 'wasm') {
    if (!(await env().getAsync('WASM_HAS_SIMD_SUPPORT'))) {
      throw new BackendError("useBackend: WebAssembly has no SIMD instructions here. Use the engine 'cpu', or Node 16.4, Chrome 91, Firefox 89, Safari 16.4 or later.");
    }
    if (wasmPaths !== undefined) setWasmPaths(wasmPaths as string);
  }
  if (name === 'tensorflow') await (await import('@moe/backend/node')).registerTensorflow(engineOptions);
  if (name === 'webgpu') await registerWebgpu();
  const started = await withoutProcessHandlers(() => setBackend(name));
  if (!started || getBackend() !== name) {
    if (previous !== name && findBackend(previous) !== null) await setBackend(previous);
    throw new BackendError(`useBackend: the engine '${name}' did not start. ${REMEDIES[name]}`);
  }
  await ready();
  registerGradients();
  releaseEarly();
  if (name === 'wasm') await registerWasmKernels(backend() as BackendWasm);
  watchBatchStatistics(name);
}
