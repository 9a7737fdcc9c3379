import { createRng } from '@moe/core';
import type { ObjectiveContext } from '../objectives/objective.js';

/** Surroundings of a first step, for objectives that are called without `train`. */
export const objectiveContext = (changes: Partial<ObjectiveContext> = {}): ObjectiveContext => ({
  exampleRng: createRng(1),
  batchRng: createRng(2),
  epoch: 0,
  weights: [],
  carried: undefined,
  ...changes,
});
