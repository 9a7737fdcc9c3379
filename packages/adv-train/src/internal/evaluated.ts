import { tidy } from '@tensorflow/tfjs-core';
import type { LogitsFn, MoeLogitsFn, MoeModel } from '@moe/core';

/** A model in evaluation mode, as a function that brings it along. */
export const evaluatedModel = (moe: MoeModel): MoeLogitsFn =>
  Object.assign<LogitsFn, { readonly moe: MoeModel }>((inputs, draw) => tidy(() => moe.forward(inputs, { ...(draw && { rng: draw.rng }) }).logits), { moe });
