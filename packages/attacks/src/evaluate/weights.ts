import { engine } from '@tensorflow/tfjs-core';

/** FNV-1a over the 32-bit words of some values. */
function hash(values: Float32Array | Int32Array | Uint8Array): number {
  const words = values instanceof Uint8Array ? values : new Uint32Array(values.buffer, values.byteOffset, values.length);
  let state = 0x811c9dc5;
  for (const word of words) state = Math.imul(state ^ word, 0x01000193);
  return state;
}

/** Hashes of all tfjs variables by name: weights and running statistics of every model that lives. */
export async function hashWeights(): Promise<ReadonlyMap<string, number>> {
  const hashes = new Map<string, number>();
  for (const [name, variable] of Object.entries(engine().state.registeredVariables)) {
    if (variable.dtype !== 'string' && !variable.isDisposed) hashes.set(name, hash(await variable.data()));
  }
  return hashes;
}

/** Names of the variables that are there before and after, with other values. */
export const changedWeights = (before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] =>
  [...before].filter(([name, value]) => after.has(name) && after.get(name) !== value).map(([name]) => name);
