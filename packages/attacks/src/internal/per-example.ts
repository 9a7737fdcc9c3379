import { type Bounds, expectArgument, expectNumber } from '@moe/core';
import type { Ball } from '../geometry/ball.js';
import type { Task } from './problem.js';

/** One number for all examples, or a list of them by example id. */
export type PerExample = number | readonly number[];

/** A number derived from one or two others, of every example by itself. */
export function derive(a: PerExample, b: PerExample, change: (a: number, b: number) => number): PerExample {
  if (typeof a === 'number' && typeof b === 'number') return change(a, b);
  const length = Math.min(typeof a === 'number' ? Infinity : a.length, typeof b === 'number' ? Infinity : b.length);
  return Array.from({ length }, (_, i) => change(typeof a === 'number' ? a : a[i]!, typeof b === 'number' ? b : b[i]!));
}

/** Checks a finite number ≥ min, or a list of such. */
export function expectPerExample(caller: string, name: string, value: PerExample, min: number): void {
  if (!Array.isArray(value)) return expectNumber(caller, name, value as number, min);
  value.forEach((entry: number, id) => expectNumber(caller, `${name}[${id}]`, entry, min));
}

/**
 * The number of each row of a batch, `[B]`.
 *
 * @throws {@link ArgumentError} if a list has no entry for an example.
 */
export function rowsOf({ caller, rows, context }: Task, name: string, value: PerExample): Float64Array {
  return Float64Array.from({ length: rows }, (_, row) => {
    if (typeof value === 'number') return value;
    const id = context.exampleIds?.[row] ?? row;
    const entry = value[id];
    expectArgument(caller, name, entry !== undefined, `list more than ${id} examples, one by each id`, value.length);
    return entry;
  });
}

/** The ball of each row of a batch, `[B]`. */
export function ballsOf(task: Task, eps: PerExample, bounds: Bounds): readonly Ball[] {
  return Array.from(rowsOf(task, 'eps', eps), (radius) => ({ eps: radius, bounds }));
}
