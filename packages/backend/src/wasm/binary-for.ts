import { BINARY } from './binary.js';

/** Import section of the compiled kernels: one memory, `env.memory`, with no upper bound. */
const IMPORT = [2, 15, 1, 3, ...bytesOf('env'), 6, ...bytesOf('memory'), 2, 0, 0];
/** The same for a shared memory, whose bound must be given: 65536 pages, the most there can be. */
const SHARED_IMPORT = [2, 18, ...IMPORT.slice(2, -2), 3, 0, 0x80, 0x80, 0x04];

function bytesOf(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}

/**
 * The compiled kernels, ready to be linked with a memory.
 *
 * @param shared - whether the memory is shared between threads, as tfjs has it in browsers on pages that are cross-origin isolated.
 */
export function binaryFor(shared: boolean): Uint8Array<ArrayBuffer> {
  const bytes = bytesOf(atob(BINARY));
  if (shared) {
    const at = bytes.findIndex((_, i) => IMPORT.every((byte, k) => bytes[i + k] === byte));
    bytes.splice(at, IMPORT.length, ...SHARED_IMPORT);
  }
  return Uint8Array.from(bytes);
}
