import { type Tensor, tensor, tidy } from '@tensorflow/tfjs-core';
import { CheckpointError, type Weight, expectArgument } from '@moe/core';
import { type StoredTensor, decodeTensors, encodeTensors } from './tensor-file.js';

/** Checks that weights can be trained and saved: unique names, float32. */
export function expectWeights(caller: string, weights: readonly Weight[]): void {
  const names = new Set<string>();
  for (const { name, variable } of weights) {
    expectArgument(caller, 'weights', !names.has(name), 'have unique names', name);
    expectArgument(caller, `weights['${name}']`, variable.dtype === 'float32', "have dtype 'float32'", variable.dtype);
    names.add(name);
  }
}

/** Current values of weights, read from the engine; to be used at once, as the cpu engine hands out its own memory. */
export function readWeights(weights: readonly Weight[]): Promise<StoredTensor[]> {
  return Promise.all(
    weights.map(async ({ name, variable }) => ({
      name,
      shape: [...variable.shape],
      data: await (variable as Tensor).data<'float32'>(),
    })),
  );
}

/** Current values of weights, in arrays of their own. */
export const copyWeights = async (weights: readonly Weight[]): Promise<StoredTensor[]> => (await readWeights(weights)).map((entry) => ({ ...entry, data: entry.data.slice() }));

/** A model's weights as a file for {@link loadWeights}. */
export const encodeWeights = (tensors: readonly StoredTensor[]): Uint8Array => encodeTensors({ tensors, metadata: { format: 'moe-weights' } });

/** Sets weights from stored tensors after checking that names and shapes are exactly theirs. */
export function assignWeights(caller: string, weights: readonly Weight[], stored: readonly StoredTensor[]): void {
  const fail = (what: string): never => {
    throw new CheckpointError(`${caller}: ${what}. The file belongs to another model; build the model that it was saved from, or use another file.`);
  };
  const byName = new Map(stored.map((entry) => [entry.name, entry]));
  const found = weights.map(({ name, variable }): Float32Array => {
    const entry = byName.get(name) ?? fail(`the file has no weight '${name}'`);
    byName.delete(name);
    if (entry.shape.join() !== variable.shape.join()) return fail(`weight '${name}' must have shape [${variable.shape.join(',')}], got [${entry.shape.join(',')}] in the file`);
    return entry.data instanceof Float32Array ? entry.data : fail(`weight '${name}' must be float32, got int32 in the file`);
  });
  for (const name of byName.keys()) fail(`the model has no weight '${name}'`);
  tidy(() => weights.forEach(({ variable }, i) => variable.assign(tensor(found[i]!, variable.shape))));
}

/**
 * Saves the weights of a model, running statistics included, as a safetensors file.
 *
 * @param weights - all weights, e.g. `modelWeights(model)` of `@moe/layers`.
 * @returns Bytes for {@link loadWeights}.
 * @throws {@link ArgumentError} if names repeat or a weight is not float32.
 *
 * @example
 * await writeFileAtomic('model.safetensors', await saveWeights(weights));
 */
export async function saveWeights(weights: readonly Weight[]): Promise<Uint8Array> {
  expectWeights('saveWeights', weights);
  return encodeWeights(await readWeights(weights));
}

/**
 * Sets the weights of a model from bytes of {@link saveWeights}, all of them or, if anything is wrong, none.
 *
 * @throws {@link CheckpointError} if the bytes are damaged or names and shapes are not exactly those of `weights`.
 */
export function loadWeights(weights: readonly Weight[], bytes: Uint8Array): void {
  expectWeights('loadWeights', weights);
  assignWeights('loadWeights', weights, decodeTensors(bytes).tensors);
}
