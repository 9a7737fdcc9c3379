import { add, tensor1d, zerosLike } from '@tensorflow/tfjs-core';
import type { Attack } from '@moe/core';

/** Moves every number by as much, whatever the model says. */
export const shifting = (by: number): Attack => ({
  name: 'shifting',
  options: { by },
  access: 'decision',
  perturb: (_model, inputs, labels) => ({ adversarial: add(inputs, by), success: zerosLike(labels), loss: tensor1d([0]) }),
});
