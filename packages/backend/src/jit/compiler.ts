import type { Tensor } from '@tensorflow/tfjs-core';

/** Arithmetic of convolutions and matrix products within a compiled function. */
export type Precision = 'float32' | 'bfloat16';

/** A constant that became part of a compiled function. */
export interface FrozenConstant {
  readonly shape: readonly number[];
  readonly dtype: string;
  /** The operation of TensorFlow that uses it first. */
  readonly usedBy: string;
}

/** Operations that one call of a function ran. */
export interface Trace {
  readonly nodes: readonly unknown[];
}

/** A function that the engine runs in one call. */
export interface CompiledFunction {
  readonly frozen: readonly FrozenConstant[];
  call(inputs: readonly Tensor[]): Tensor[];
  dispose(): void;
}

/** What an engine that can compile carries as its property `compiler`; the two live in different entries of this package, which share no modules. */
export interface Compiler {
  /** Whether a function is being traced now. */
  readonly recording: boolean;
  /** Runs a function and notes the operations. */
  record(inputs: readonly Tensor[], fn: () => Tensor[]): { readonly outputs: Tensor[]; readonly trace: Trace };
  /** @throws {@link BackendError} if two calls did not do the same. */
  compile(first: Trace, second: Trace, precision: Precision): CompiledFunction;
}
