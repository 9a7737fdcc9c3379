import { env, getBackend, version_core } from '@tensorflow/tfjs-core';
import { getThreadsCount } from '@tensorflow/tfjs-backend-wasm';

/** What runs now. */
export interface BackendDescription {
  /** Engine by its name in tfjs. */
  readonly engine: string;
  /** Version of `@tensorflow/tfjs-core`. */
  readonly tfjs: string;
  /** Whether the engine uses SIMD instructions. */
  readonly simd: boolean;
  /** Threads that one operation may use. */
  readonly threads: number;
}

/** Describes the running engine, as plain data for logs and result files. */
export function describeBackend(): BackendDescription {
  const engine = getBackend();
  const wasm = engine === 'wasm';
  return { engine, tfjs: version_core, simd: wasm && env().getBool('WASM_HAS_SIMD_SUPPORT'), threads: wasm ? Math.max(1, getThreadsCount()) : 1 };
}
