import { type Tensor, backend, engine, tidy } from '@tensorflow/tfjs-core';
import { expectKnownKeys, expectOneOf } from '@moe/core';
import type { CompiledFunction, Compiler, FrozenConstant, Precision, Trace } from './compiler.js';
import { type Form, flatten, keyOf, rebuild } from './nested.js';

/** Options of {@link jit}. */
export interface JitOptions {
  /**
   * `'bfloat16'` computes convolutions and matrix products with 8 bits of mantissa. Gradients of attacks come out different (of 94 % of the pixels the sign agrees):
   * never report a robust accuracy from it without evaluating the found inputs in float32. Default `'float32'`.
   */
  precision?: Precision;
}

/** A function made by {@link jit}. */
export type Jit<F> = F & {
  /** Constants of more than 16 different values that are part of the compiled functions. Two calls agreed on them; later ones are not asked. */
  readonly frozen: readonly FrozenConstant[];
  /** Frees the compiled functions. A later call begins anew. */
  dispose(): void;
};

interface Entry {
  trace: Trace | undefined;
  compiled: CompiledFunction | undefined;
  result: Form;
}

/** Compiled functions that one function keeps; the one used least recently goes. */
const MAX_ENTRIES = 32;

/**
 * Compiles a function of tensors into one call of the engine, where the engine can: on `'tensorflow'`. On others, the function runs as it is.
 *
 * @remarks
 * The first two calls with the same shapes and data types run `fn` as usual and note its operations; if both did the same, TensorFlow gets them as a function, which the third call runs.
 * Two calls that differ (random draws, counters, branches on values) are an error, as is reading values (`dataSync`) within `fn`: either would be frozen.
 * Tensors that `fn` closes over are passed anew at every call, variables with their present values; constants made within `fn` become part of it, and larger ones are listed in `frozen`.
 * Variables that `fn` assigns, such as running statistics, are assigned at every call.
 *
 * Gradients may be taken within `fn`. Where the gradient of the compiled function itself is taken, and within another compiled function, `fn` runs as it is.
 * Compiled calls return new tensors and leave no others behind. What else `fn` does besides computing its result is not repeated.
 *
 * @param fn - synchronous; arguments and result are tensors, or arrays and plain objects of them.
 * @throws {@link ArgumentError} if an option, an argument or the result is not of that kind.
 * @throws {@link BackendError} at the call, if `fn` did what cannot be compiled, or if a tensor that it closed over was disposed.
 *
 * @example
 * const inputGradient = jit((x: Tensor) => grad((y: Tensor) => sum(square(y)))(x));
 */
export function jit<F extends (...args: never[]) => unknown>(fn: F, options: JitOptions = {}): Jit<F> {
  expectKnownKeys('jit', options, ['precision']);
  const { precision = 'float32' } = options;
  expectOneOf('jit', 'precision', precision, ['float32', 'bfloat16']);
  const entries = new Map<string, Entry>();

  const keep = (key: string, entry: Entry): void => {
    entries.delete(key);
    entries.set(key, entry);
    if (entries.size <= MAX_ENTRIES) return;
    const [oldest, { compiled }] = entries.entries().next().value!;
    entries.delete(oldest);
    compiled?.dispose();
  };

  const compile = (compiler: Compiler, key: string, latest: Trace, result: Form): void => {
    const earlier = entries.get(key)?.trace;
    entries.delete(key);
    keep(key, earlier === undefined ? { trace: latest, compiled: undefined, result } : { trace: undefined, compiled: compiler.compile(earlier, latest, precision), result });
  };

  const trace = (compiler: Compiler, args: never[], key: string, inputs: readonly Tensor[]): unknown => {
    let result: Form = [];
    const outputs = tidy(() => {
      const noted = compiler.record(inputs, () => {
        const tensors: Tensor[] = [];
        result = flatten(fn(...args), 'the result', tensors);
        return tensors;
      });
      compile(compiler, key, noted.trace, result);
      return noted.outputs;
    });
    return rebuild(result, outputs);
  };

  const call = (...args: never[]): unknown => {
    const { compiler } = backend() as { readonly compiler?: Compiler };
    if (compiler === undefined || compiler.recording || engine().state.gradientDepth > 0) return fn(...args);
    const inputs: Tensor[] = [];
    const key = keyOf(flatten(args, 'the list of arguments', inputs), inputs);
    const entry = entries.get(key);
    if (entry?.compiled === undefined) return trace(compiler, args, key, inputs);
    keep(key, entry);
    return rebuild(entry.result, entry.compiled.call(inputs));
  };

  const dispose = (): void => {
    for (const { compiled } of entries.values()) compiled?.dispose();
    entries.clear();
  };
  return Object.defineProperty(Object.assign(call, { dispose }), 'frozen', { get: () => [...entries.values()].flatMap(({ compiled }) => compiled?.frozen ?? []) }) as unknown as Jit<F>;
}
