import { CheckpointError, type Weight } from '@moe/core';
import { tensor, tidy } from '@tensorflow/tfjs-core';
import type { HostTensor } from '../safetensors/host-tensor.js';

/** A value on its way into a weight. */
export interface Arrival {
  readonly weight: Weight;
  /** Its name where it comes from. */
  readonly source: string;
  /** Nothing where the source has no such name. */
  readonly value: HostTensor | undefined;
}

const some = (names: readonly string[]): string => `${names.slice(0, 3).map((name) => `'${name}'`).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`;
const show = (shape: readonly number[]): string => `[${shape.join(',')}]`;

/**
 * Checks all values, then writes them: after an error the model is as it was.
 *
 * @param left - names in the source that no weight took.
 * @throws {@link CheckpointError} if a value is missing, left over, or of another shape or type.
 */
export function assignValues(caller: string, arrivals: readonly Arrival[], left: readonly string[]): void {
  const missing = arrivals.filter(({ value }) => value === undefined).map(({ source }) => source);
  if (missing.length > 0) throw new CheckpointError(`${caller}: tensors must hold every weight of the model, got none named ${some(missing)}.${left.length === 0 ? '' : ` Nothing takes ${some(left)}.`}`);
  if (left.length > 0) throw new CheckpointError(`${caller}: tensors must belong to weights of the model, got ${some(left)}. Is it another network?`);
  const values = arrivals.map(({ weight, source, value }) => {
    const { shape, data } = value!;
    const { shape: wanted } = weight.variable;
    if (shape.length !== wanted.length || shape.some((size, axis) => size !== wanted[axis])) throw new CheckpointError(`${caller}: '${source}' must have the shape ${show(wanted)} of '${weight.name}', got ${show(shape)}.`);
    if (!(data instanceof Float32Array) && !(data instanceof Float64Array)) throw new CheckpointError(`${caller}: '${source}' must hold floating-point numbers, got ${data.constructor.name}.`);
    return { weight, shape, data };
  });
  tidy(() => {
    for (const { weight, shape, data } of values) weight.variable.assign(tensor(Float32Array.from(data), [...shape]));
  });
}
