import type { SoundBound } from '@moe/core';
import { expectArgument, expectKnownKeys } from '@moe/core';
import { type KernelInput, type VectorInput, readKernel, readVector } from '../internal/arrays.js';
import { UNIT, roundUp } from '../internal/rounding.js';
import { expectSound } from '../internal/sound.js';
import { vectorNorm } from '../internal/vectors.js';
import type { SoundDisagreement } from '../moe/disagreement.js';
import { expectDisagreement } from '../moe/softmax-mixture.js';

/**
 * A convex set that contains every gradient of a scalar function, so that `f(x + d) − f(x) ≤ support(d)`.
 *
 * @remarks
 * A Lipschitz constant is the special case of a ball; other sets tell directions apart.
 *
 * @see {@link https://arxiv.org/abs/2304.13019 | Petrov et al. 2023} for S-Lipschitz functions.
 */
export interface GradientSet {
  /** Largest inner product of a member with `direction`, rounded outward. */
  support(direction: Float64Array): number;
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  let size = 0;
  for (let d = 0; d < a.length; d++) {
    sum += a[d]! * b[d]!;
    size += Math.abs(a[d]! * b[d]!);
  }
  return sum + (a.length + 2) * UNIT * size;
};

/** Outward for either sign. */
const outward = (value: number, operations: number): number => value + (operations + 2) * UNIT * Math.abs(value);

/** Gradients of a function with a sound global bound: `support(d) = L ‖d‖` in the norm of the bound. */
export function ballSet(bound: SoundBound): GradientSet {
  expectSound('ballSet', 'bound', bound);
  expectArgument('ballSet', 'bound.domain', bound.domain === 'global', "be 'global'", JSON.stringify(bound.domain));
  return { support: (direction) => roundUp(bound.value * vectorNorm(direction, bound.norm), 1) };
}

/** Convex combinations of gradients, the columns of `[in, vertices]`; one column is the gradient of a linear function. */
export function polytopeSet(vertices: KernelInput): GradientSet {
  const { shape, values } = readKernel('polytopeSet', vertices, ['in', 'vertices']);
  const [inputs, count] = shape as [number, number];
  const columns = Array.from({ length: count }, (_, v) => Float64Array.from({ length: inputs }, (_d, d) => values[d * count + v]!));
  return {
    support: (direction) => {
      expectArgument('polytopeSet', 'direction', direction.length === inputs, `have ${inputs} entries`, direction.length);
      return columns.reduce((largest, column) => Math.max(largest, dot(column, direction)), -Infinity);
    },
  };
}

/** The image of the unit ball in L2 under `[in, axes]`: `support(d) = ‖dᵀ A‖`. */
export function ellipsoidSet(axes: KernelInput): GradientSet {
  const { shape, values } = readKernel('ellipsoidSet', axes, ['in', 'axes']);
  const [inputs, count] = shape as [number, number];
  return {
    support: (direction) => {
      expectArgument('ellipsoidSet', 'direction', direction.length === inputs, `have ${inputs} entries`, direction.length);
      const image = Float64Array.from({ length: count }, (_, c) => {
        const column = direction.map((_d, d) => values[d * count + c]!);
        return Math.max(dot(column, direction), dot(column, direction.map((value) => -value)));
      });
      return vectorNorm(image, 'L2');
    },
  };
}

/** Sums of `weights[j] ·` a member of each set: gradients of a weighted sum of functions. @defaultValue weights all 1 */
export function minkowskiSum(sets: readonly GradientSet[], weights: readonly number[] = sets.map(() => 1)): GradientSet {
  expectArgument('minkowskiSum', 'weights', weights.length === sets.length, `have ${sets.length} entries, one a set`, weights.length);
  return {
    support: (direction) =>
      sets.reduce((sum, set, j) => {
        const weight = weights[j]!;
        if (weight === 0) return sum;
        // A negative weight mirrors the set.
        const term = outward(Math.abs(weight) * set.support(weight > 0 ? direction : direction.map((value) => -value)), 1);
        return sum + term + 2 * UNIT * (Math.abs(sum) + Math.abs(term));
      }, 0),
  };
}

/** Convex combinations of members of the sets: gradients of a function that is one of several. */
export const hullSet = (sets: readonly GradientSet[]): GradientSet => ({ support: (direction) => Math.max(...sets.map((set) => set.support(direction))) });

/**
 * Gradients of a softmax mixture of scalar experts: `max ρᵢ(d) + D_f max ⟨sᵢ − sⱼ, d⟩ / 4`.
 *
 * @remarks
 * Directions in which no two scores differ pay nothing for the router.
 *
 * @param options - `experts`, a set of each; global `disagreement` of their outputs; router `kernel` `[in, E]`.
 */
export function softmaxMixtureSet(options: { readonly experts: readonly GradientSet[]; readonly disagreement: SoundDisagreement; readonly kernel: KernelInput }): GradientSet {
  const caller = 'softmaxMixtureSet';
  expectKnownKeys(caller, options, ['experts', 'disagreement', 'kernel']);
  const { experts, disagreement } = options;
  expectDisagreement(caller, disagreement, disagreement.norm);
  expectArgument(caller, 'disagreement.domain', disagreement.domain === 'global', "be 'global'", JSON.stringify(disagreement.domain));
  const kernel = readKernel(caller, options.kernel, ['in', 'experts']);
  expectArgument(caller, 'kernel', kernel.shape[1] === experts.length, `have ${experts.length} columns, one an expert`, kernel.shape[1]);
  const scores = polytopeSet(kernel);
  // The range of the scores along d: the largest less the smallest.
  const differences = minkowskiSum([scores, scores], [1, -1]);
  return minkowskiSum([hullSet(experts), differences], [1, roundUp(disagreement.value / 4, 1)]);
}

/** One competing class as an S-Lipschitz certificate sees it. */
export interface SetMargin {
  /** Logit of the predicted class less that of this one. */
  readonly margin: number;
  /** Gradients of this class's logit less the predicted one's: how the margin can fall. */
  readonly fall: GradientSet;
}

/**
 * How far an input may move in one direction before the class can change.
 *
 * @returns The largest sound t such that `x + t' d` keeps the class for `0 ≤ t' ≤ t`; in units of `direction`.
 *
 * @example
 * directionalRadius([{ margin: 0.5, fall: minkowskiSum([other, mine], [1, -1]) }], direction);
 */
export function directionalRadius(classes: readonly SetMargin[], direction: VectorInput): number {
  const along = readVector('directionalRadius', 'direction', direction);
  expectArgument('directionalRadius', 'classes', classes.length > 0, 'have at least one competing class', classes.length);
  return Math.min(
    ...classes.map(({ margin, fall }) => {
      if (!(margin > 0)) return 0;
      const rate = fall.support(along);
      return rate <= 0 ? Infinity : (margin / rate) * (1 - 4 * UNIT);
    }),
  );
}
