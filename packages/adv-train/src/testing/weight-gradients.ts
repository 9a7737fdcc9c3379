import { type Scalar, tensor, tidy, variableGrads } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { expect } from 'vitest';
import type { TestModel } from './models.js';

/** Gradients of a loss in all weights, by name; those that it does not reach are missing. */
export function gradientsOf({ weights }: TestModel, loss: () => Scalar): Record<string, number[]> {
  const found: Record<string, number[]> = {};
  tidy(() => {
    const { grads } = variableGrads(loss, weights.map(({ variable }) => variable));
    for (const { name, variable } of weights) {
      const gradient = grads[variable.name];
      if (gradient !== undefined) found[name] = Array.from(gradient.dataSync());
    }
  });
  return found;
}

/** Compares the gradient of a loss in each weight with a central difference along a random direction. */
export function expectWeightGradients(target: TestModel, loss: () => Scalar, names: readonly string[], { step = 1e-2, rtol = 2e-2, atol = 1e-3 } = {}): void {
  const gradients = gradientsOf(target, loss);
  for (const name of names) {
    const { variable } = target.weights.find((weight) => weight.name === name)!;
    const before = variable.dataSync().slice();
    const direction = createRng(5).stream(name).uniform(before.length, -1, 1);
    const valueAt = (sign: number): number =>
      tidy(() => {
        variable.assign(tensor(before.map((value, i) => value + sign * step * direction[i]!), variable.shape));
        return loss().dataSync()[0]!;
      });
    const expected = (valueAt(1) - valueAt(-1)) / (2 * step);
    tidy(() => variable.assign(tensor(before, variable.shape)));
    const actual = (gradients[name] ?? []).reduce((total, slope, i) => total + slope * direction[i]!, 0);
    expect(actual, `slope of ${name}`).toBeAllClose(expected, { rtol, atol });
  }
}
