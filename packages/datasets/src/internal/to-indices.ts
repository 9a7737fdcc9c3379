import { ArgumentError } from '@moe/core';

/** Copies indices after checking that each is one of `length` examples. */
export function toIndices(caller: string, name: string, indices: ArrayLike<number>, length: number): Int32Array {
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    if (!Number.isInteger(index) || index < 0 || index >= length) {
      throw new ArgumentError(`${caller}: index must be an integer in [0, ${length}), the examples of '${name}', got ${index}.`);
    }
  }
  return Int32Array.from(indices);
}
