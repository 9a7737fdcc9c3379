import { util } from '@tensorflow/tfjs-core';

/** Up to four nested loops over values in memory, outermost first, with one list of strides for each array that takes part. */
export interface Loops {
  readonly sizes: Four;
  readonly strides: readonly Four[];
}

type Four = readonly [number, number, number, number];

/** Strides, in values, of an array that is broadcast to `shape`; 0 where it repeats. */
export function broadcastStrides(from: readonly number[], shape: readonly number[]): number[] {
  const dense = denseStrides(from);
  const missing = shape.length - from.length;
  return shape.map((_, axis) => (axis < missing || from[axis - missing] === 1 ? 0 : dense[axis - missing]!));
}

/** Strides, in values, of a row-major array. */
export function denseStrides(shape: readonly number[]): number[] {
  return shape.map((_, axis) => util.sizeFromShape(shape.slice(axis + 1)));
}

/**
 * Joins neighbouring dimensions wherever every array runs on through them.
 *
 * @returns `undefined` if more than four loops remain.
 */
export function joinLoops(shape: readonly number[], strides: readonly (readonly number[])[]): Loops | undefined {
  const sizes: number[] = [];
  const joined: number[][] = strides.map(() => []);
  shape.forEach((size, axis) => {
    if (size === 1) return;
    const runsOn = sizes.length > 0 && strides.every((of, k) => joined[k]!.at(-1) === of[axis]! * size);
    if (runsOn) sizes.push(sizes.pop()! * size);
    else sizes.push(size);
    joined.forEach((of, k) => {
      if (runsOn) of.pop();
      of.push(strides[k]![axis]!);
    });
  });
  if (sizes.length > 4) return undefined;
  const fill = (values: number[], value: number): Four => [...Array.from({ length: 4 - values.length }, () => value), ...values] as unknown as Four;
  // A loop of one round at the end keeps "one after the other" as the innermost step.
  return { sizes: fill(sizes, 1), strides: joined.map((of) => fill(of, 0)) };
}
