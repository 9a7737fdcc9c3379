import { NumericsError, type Rng, expectArgument } from '@moe/core';
import { type Tensor, dispose, grads, mul, norm, sum, tensor, tidy } from '@tensorflow/tfjs-core';
import { dispatch } from './dispatch/dispatch.js';
import type { RouteContext, Router, Weights } from './types.js';

/**
 * Throws unless the task loss reaches every weight of a router that an optimiser would move.
 *
 * @remarks
 * Runs the router on `inputs` with E experts that scale by different random numbers, takes the gradient of a random projection of the output, and looks at
 * its length for each weight. A router whose only expert has a weight that is always 1, or that chooses by an argmax without more, fails: it would look trained
 * and never be. Weights that only training uses (learned noise) need a training context.
 *
 * @param router  - router under test.
 * @param weights - its weights, by name.
 * @param inputs  - rows `[T,…]`, a few dozen.
 * @param rng     - source of the experts and of the projection.
 * @param context - how to route. @defaultValue evaluation
 * @throws {@link NumericsError} naming the weights without gradient; {@link ArgumentError} if the router says itself that it has none.
 *
 * @example
 * assertRouterGradient(router, weights, images, createRng(1));
 */
export function assertRouterGradient(router: Router, weights: Weights, inputs: Tensor, rng: Rng, context: RouteContext = { training: false }): void {
  expectArgument('assertRouterGradient', 'router', router.gradientPath !== 'none', 'have a gradient path', router.name);
  const scales = rng.stream('experts').uniform(router.numExperts, 0.5, 2);
  const projection = tidy(() => tensor(rng.stream('projection').normal(inputs.size), inputs.shape));
  const fixed = tidy(() => initialFixed(router, inputs, rng));
  const names = Object.keys(weights).filter((name) => !fixed.includes(name));
  const measure = (): number[] => {
    const loss = (...values: Tensor[]): Tensor => {
      const all = { ...weights, ...Object.fromEntries(names.map((name, i) => [name, values[i]!])) };
      const experts = Array.from(scales, (scale) => (rows: Tensor) => mul(rows, scale));
      return sum(mul(dispatch(router.route(all, inputs, context), inputs, experts), projection));
    };
    return grads(loss)(names.map((name) => weights[name]!)).map((slope) => norm(slope).dataSync()[0]!);
  };
  let lengths: number[];
  try {
    lengths = tidy(measure);
  } finally {
    dispose(projection);
  }
  const dead = names.filter((_, i) => !(lengths[i]! > 0));
  if (dead.length > 0) {
    throw new NumericsError(`assertRouterGradient: the task loss gives ${router.name} no gradient for ${dead.join(', ')}. It would never learn where to send a row; use weights that depend on the gate, or a straight-through estimator.`);
  }
}

/** Names of the weights that no optimiser moves. */
function initialFixed(router: Router, inputs: Tensor, rng: Rng): string[] {
  return Object.entries(router.init(inputs.shape.slice(1), rng.stream('init'))).flatMap(([name, { trainable }]) => (trainable ? [] : [name]));
}
