// A hard-routed layer of affine experts on a linear router, with margins and their gradients, and an attack on it, for tests of certificates.
import { type OperatorNorm, createRng } from '@moe/core';
import { type Affine, LENGTH, applyAffine, column, intoBall, plus, randomAffine, softmaxOf, steepest, topOf } from './toys.js';

export interface ToyMoe {
  readonly router: Affine;
  readonly experts: readonly Affine[];
  readonly topK: number;
}

/** `router` scales the scores, `spread` what experts do not have in common. */
export function randomMoe(seed: number, { inputs = 5, experts = 4, classes = 3, topK = 1, router = 1, spread = 1 } = {}): ToyMoe {
  const base = randomAffine(inputs, classes, seed * 100 + 99, Math.sqrt(1 - spread ** 2));
  const expert = (e: number): Affine => {
    const own = randomAffine(inputs, classes, seed * 100 + 1 + e, spread);
    return { kernel: { shape: [inputs, classes], values: plus(base.kernel.values, own.kernel.values) }, bias: plus(base.bias, own.bias) };
  };
  return { router: randomAffine(inputs, experts, seed * 100, router), experts: Array.from({ length: experts }, (_, e) => expert(e)), topK };
}

/** Logits with these experts, weighted by a softmax over them. */
export function logitsOn({ router, experts }: ToyMoe, route: readonly number[], x: Float64Array): Float64Array {
  const z = applyAffine(router, x);
  const weights = softmaxOf(Float64Array.from(route, (e) => z[e]!));
  return route.reduce<Float64Array>((sum, e, at) => plus(sum, applyAffine(experts[e]!, x), weights[at]!), new Float64Array(experts[0]!.bias.length));
}

export const routeOf = (moe: ToyMoe, x: Float64Array): number[] => topOf(applyAffine(moe.router, x), moe.topK);
export const logitsOf = (moe: ToyMoe, x: Float64Array): Float64Array => logitsOn(moe, routeOf(moe, x), x);
export const classOf = (logits: Float64Array): number => logits.indexOf(Math.max(...logits));

/** Gradient, on one route, of logit a less logit b. */
function marginGradient(moe: ToyMoe, route: readonly number[], x: Float64Array, a: number, b: number): Float64Array {
  const z = applyAffine(moe.router, x);
  const weights = softmaxOf(Float64Array.from(route, (e) => z[e]!));
  const margins = route.map((e) => {
    const y = applyAffine(moe.experts[e]!, x);
    return y[a]! - y[b]!;
  });
  const mean = margins.reduce((sum, value, at) => sum + weights[at]! * value, 0);
  return route.reduce<Float64Array>((sum, e, at) => {
    const { kernel } = moe.experts[e]!;
    const own = plus(plus(sum, column(kernel, a), weights[at]!), column(kernel, b), -weights[at]!);
    return plus(own, column(moe.router.kernel, e), weights[at]! * (margins[at]! - mean));
  }, new Float64Array(x.length));
}

/**
 * Projected gradient descent on every margin, from the input, from random starts and from the boundaries of the router.
 *
 * @returns The smallest margin of the class that was found within the radius.
 */
export function attackMargin(moe: ToyMoe, input: Float64Array, label: number, norm: OperatorNorm, radius: number, seed: number, { steps = 12, starts = 4 } = {}): number {
  const rng = createRng(seed);
  const experts = moe.experts.map((_, e) => e);
  const [first] = routeOf(moe, input);
  const towards = experts.filter((e) => e !== first).map((e) => steepest(plus(column(moe.router.kernel, e), column(moe.router.kernel, first!), -1), norm, radius));
  const random = Array.from({ length: starts }, () => {
    const raw = Float64Array.from(rng.normal(input.length));
    return raw.map((value) => (value * radius) / LENGTH[norm](raw));
  });
  let smallest = Infinity;
  for (const start of [new Float64Array(input.length), ...towards, ...random]) {
    for (let b = 0; b < moe.experts[0]!.bias.length; b++) {
      if (b === label) continue;
      let step = start;
      for (let t = 0; t <= steps; t++) {
        const x = plus(input, step);
        const logits = logitsOf(moe, x);
        smallest = Math.min(smallest, logits[label]! - logits[b]!);
        const gradient = marginGradient(moe, routeOf(moe, x), x, label, b);
        step = intoBall(plus(step, steepest(gradient, norm, (2.5 * radius) / (t + 1)), -1), norm, radius);
      }
    }
  }
  return smallest;
}
