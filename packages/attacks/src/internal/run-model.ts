import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { expectArgument, expectShape } from '@moe/core';
import type { Draw, LogitsFn } from '@moe/core';

/** Runs a model and checks that its answer is `[N,M]` for the N rows of its inputs, M ≥ 2. */
export function runModel(caller: string, model: LogitsFn, inputs: Tensor, draw?: Draw): Tensor2D {
  const logits = model(inputs, draw);
  const { M } = expectShape(caller, { logits }, ['B', 'M'], { B: inputs.shape[0]! });
  expectArgument(caller, 'logits', M >= 2, 'have at least 2 classes', M);
  return logits;
}
