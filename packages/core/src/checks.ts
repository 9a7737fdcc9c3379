import type { Tensor } from '@tensorflow/tfjs-core';
import { AbortedError, ArgumentError, ShapeError } from './errors.js';

type Dimension = string | number;

/** Sizes bound by the letters of an {@link expectShape} pattern. */
export type BoundSizes<P extends readonly Dimension[]> = Readonly<Record<Extract<P[number], string>, number>>;

const show = (shape: readonly Dimension[]): string => `[${shape.join(',')}]`;

/**
 * Checks tensors against a pattern of letters and numbers, binding each letter to one size.
 *
 * @remarks
 * A letter that returns must have the same size, also across the tensors of one call. `'*'` matches any size and is not compared.
 *
 * @param caller  - name of the public function, first word of the message.
 * @param tensors - tensors by argument name; all must match `pattern`.
 * @param pattern - one entry per dimension, e.g. `['B', 'H', 'W', 3]`.
 * @param bound   - sizes bound by an earlier call.
 * @returns The size of every letter, those of `bound` included.
 * @throws {@link ShapeError} if a rank or size disagrees.
 *
 * @example
 * const { B } = expectShape('pgd', { inputs }, ['B', 'H', 'W', 'C']);
 * expectShape('pgd', { labels }, ['B'], { B });
 */
export function expectShape<const P extends readonly Dimension[], const K extends Record<string, number> = Record<never, number>>(
  caller: string,
  tensors: Readonly<Record<string, { readonly shape: readonly number[] }>>,
  pattern: P,
  bound?: K,
): BoundSizes<P> & K {
  const sizes = new Map<string, number>(Object.entries(bound ?? {}));
  for (const [name, { shape }] of Object.entries(tensors)) {
    if (shape.length !== pattern.length) {
      throw new ShapeError(`${caller}: ${name} must have shape ${show(pattern)}, got ${show(shape)}.`);
    }
    pattern.forEach((dimension, axis) => {
      const size = shape[axis]!;
      if (dimension === '*') return;
      const wanted = typeof dimension === 'number' ? dimension : (sizes.get(dimension) ?? size);
      if (size !== wanted) {
        const why = typeof dimension === 'number' ? '' : ` with ${dimension} = ${wanted}`;
        throw new ShapeError(`${caller}: ${name} must have shape ${show(pattern)}${why}, got ${show(shape)}.`);
      }
      if (typeof dimension === 'string') sizes.set(dimension, size);
    });
  }
  return Object.fromEntries(sizes) as BoundSizes<P> & K;
}

const describe = (value: unknown): string => (typeof value === 'string' ? `'${value}'` : Array.isArray(value) ? `[${value.join(', ')}]` : String(value));

/**
 * Throws unless a rule about an argument holds.
 *
 * @param rule - completes "`name` must …".
 * @param hint - one sentence with the remedy, where it is known.
 * @throws {@link ArgumentError} `caller: name must rule, got value. hint`
 */
export function expectArgument(caller: string, name: string, holds: boolean, rule: string, value: unknown, hint?: string): asserts holds {
  if (!holds) throw new ArgumentError(`${caller}: ${name} must ${rule}, got ${describe(value)}.${hint === undefined ? '' : ` ${hint}`}`);
}

/** Checks an integer of at least `min`; see {@link expectArgument}. */
export function expectInteger(caller: string, name: string, value: number, min: number, max = Number.MAX_SAFE_INTEGER): void {
  const range = max === Number.MAX_SAFE_INTEGER ? `be an integer ≥ ${min}` : `be an integer in [${min}, ${max}]`;
  expectArgument(caller, name, Number.isInteger(value) && value >= min && value <= max, range, value);
}

/** Checks a finite number in `[min, max]`; see {@link expectArgument}. */
export function expectNumber(caller: string, name: string, value: number, min = -Infinity, max = Infinity): void {
  const range = max < Infinity ? ` in [${min}, ${max}]` : min > -Infinity ? ` ≥ ${min}` : '';
  expectArgument(caller, name, typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max, `be a finite number${range}`, value);
}

/** Checks membership in a fixed list; see {@link expectArgument}. */
export function expectOneOf<T extends string | number | boolean>(caller: string, name: string, value: T, allowed: readonly T[]): void {
  expectArgument(caller, name, allowed.includes(value), `be one of ${allowed.map(describe).join(', ')}`, value);
}

/**
 * Refuses unknown keys of an options object, so that a misspelt option is never ignored.
 *
 * @throws {@link ArgumentError} that names the key, the known keys, and the nearest of them.
 */
export function expectKnownKeys(caller: string, options: object, known: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const near = known.find((name) => name.toLowerCase() === key.toLowerCase() || name.startsWith(key) || key.startsWith(name));
    throw new ArgumentError(`${caller}: unknown option '${key}'.${near === undefined ? ` Known options: ${known.join(', ')}.` : ` Did you mean '${near}'?`}`);
  }
}

/** Checks that integer class labels `[B]` lie in `[0, numClasses)`. Reads the tensor. */
export function expectLabels(caller: string, labels: Tensor, numClasses: number): void {
  expectArgument(caller, 'labels', labels.dtype === 'int32', "have dtype 'int32'", labels.dtype, 'Pass class indices, not one-hot rows.');
  const values = labels.dataSync();
  const wrong = values.findIndex((label) => label < 0 || label >= numClasses);
  expectArgument(caller, `labels[${wrong}]`, wrong < 0, `be a class index in [0, ${numClasses})`, values[wrong]);
}

/** Throws {@link AbortedError} if the signal has fired. */
export function throwIfAborted(caller: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortedError(`${caller}: aborted by the caller.`, { cause: signal.reason });
}
