// Shapes: N rows of one pass, M classes.
import '../gradients.js';
import { type GradSaveFunc, type Tensor, type Tensor2D, clone, customGrad, valueAndGrad } from '@tensorflow/tfjs-core';
import type { Compile, LogitsFn } from '@moe/core';
import { DIRECTIONS, type DirectionName } from '../losses/directions.js';
import { differentiate } from './differentiate.js';
import { runModel } from './run-model.js';

/** Passes over one model as functions of tensors, for an engine that can compile them; the caller disposes what they return. */
export interface Passes {
  /** Inputs `[N,…]` → logits `[N,M]`. */
  readonly forward: (inputs: Tensor) => Tensor2D;
  /** Inputs `[N,…]` and what the loss compares with, see `Direction` → logits and the direction of the input gradient. */
  readonly differentiated: (inputs: Tensor, reference: Tensor) => { readonly logits: Tensor2D; readonly gradient: Tensor };
}

/** Passes over a model; `undefined` where they are not compiled. */
export type PassesOf = (model: LogitsFn) => Passes | undefined;

function compilePasses(caller: string, model: LogitsFn, loss: DirectionName, compile: Compile): Passes {
  return {
    forward: compile((inputs: Tensor) => runModel(caller, model, inputs)),
    differentiated: compile((inputs: Tensor, reference: Tensor) => {
      const pass = (x: Tensor) =>
        customGrad((logits, save) => {
          (save as GradSaveFunc)([DIRECTIONS[loss](logits as Tensor2D, reference)]);
          return { value: clone(logits as Tensor2D), gradFunc: (_, saved) => clone(saved[0]!) };
        })(runModel(caller, model, x)) as Tensor2D;
      const { value, grad } = differentiate(caller, () => valueAndGrad(pass)(inputs));
      return { logits: value, gradient: grad };
    }),
  };
}

/** Compiles the passes over each model that is attacked once. */
export function compiledPasses(caller: string, loss: DirectionName, compile: Compile | undefined): PassesOf {
  if (compile === undefined) return () => undefined;
  const known = new WeakMap<LogitsFn, Passes>();
  return (model) => {
    const passes = known.get(model) ?? compilePasses(caller, model, loss, compile);
    known.set(model, passes);
    return passes;
  };
}
