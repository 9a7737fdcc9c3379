// Shapes: E experts.
import { expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import { add, mul } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { changeMixtures } from './change-mixtures.js';
import { physicalExpert } from './slots.js';

/** Options of {@link mergeExperts}. */
export interface MergeExpertsOptions {
  /** By name of the layer, how much each expert counts in the mean of its group, `[E]`, such as its share of the rows. @defaultValue equally */
  readonly weights?: Readonly<Record<string, ArrayLike<number>>>;
}

/**
 * Merges experts of a trained network: each group becomes one expert, whose weights and running statistics are the mean of theirs.
 *
 * @remarks
 * The router stays whole, and every row that chose a member goes to the merged expert, so memory shrinks and the cost of a row does not. Sensible for experts that come
 * from one dense network ({@link upcycle}), whose units still correspond. Re-estimate batch norm afterwards: the mean of statistics is not the statistics of the mean.
 *
 * @param network - a network of this package; it is left as it was.
 * @param groups  - by name of the layer, groups that hold each expert once.
 * @returns A new model; the caller disposes it.
 * @throws {@link ArgumentError} if a layer does not exist, or the groups do not hold each expert once.
 * @see {@link https://arxiv.org/abs/2310.01334 | Li et al. 2024} (MC-SMoE), whose weights are shares of the rows.
 *
 * @example
 * const merged = mergeExperts(network, { 'layer4.0': [[0, 2], [1], [3]] });
 */
export function mergeExperts(network: LayersModel, groups: Readonly<Record<string, readonly (readonly number[])[]>>, options: MergeExpertsOptions = {}): LayersModel {
  expectKnownKeys('mergeExperts', options, ['weights']);
  return changeMixtures('mergeExperts', network, Object.keys(groups), ({ name, part }) => {
    const { numExperts } = part.router;
    const parts = groups[name]!;
    const once = parts.flat().sort((a, b) => a - b);
    expectArgument('mergeExperts', `groups['${name}']`, once.length === numExperts && once.every((expert, i) => expert === i) && parts.every(({ length }) => length > 0), `hold each of the ${numExperts} experts once`, JSON.stringify(parts));
    const weights = options.weights?.[name] ?? new Array<number>(numExperts).fill(1);
    expectArgument('mergeExperts', `weights['${name}']`, weights.length === numExperts, `have one value for each of the ${numExperts} experts`, weights.length);
    Array.from(weights).forEach((weight, i) => expectNumber('mergeExperts', `weights['${name}'][${i}]`, weight, 0));
    const sums = parts.map((group) => group.reduce((total, expert) => total + weights[expert]!, 0));
    expectArgument('mergeExperts', `weights['${name}']`, sums.every((sum) => sum > 0), 'have a sum above 0 in every group', Array.from(weights));
    return {
      router: part.router,
      slots: once.map((expert) => parts.findIndex((group) => group.includes(expert))),
      expert: (index, valueOf) =>
        parts[index]!.map((expert) => mul(valueOf(physicalExpert('mergeExperts', `groups['${name}']`, part, expert)), weights[expert]! / sums[index]!)).reduce((total, next) => add(total, next)),
    };
  });
}
