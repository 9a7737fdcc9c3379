import { type Weight, expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import type { Optimizer } from './optimizer.js';

/** Weights that are moved otherwise than the rest; see `TrainOptions.groups`. */
export interface WeightGroup {
  /** Tells by name which weights belong to the group. */
  readonly match: (name: string) => boolean;
  /** @defaultValue the optimizer of the run */
  readonly optimizer?: Optimizer;
  /** Factor of the schedule's learning rate. @defaultValue 1 */
  readonly learningRate?: number;
}

/** How one weight is moved. */
export interface WeightSettings {
  readonly optimizer: Optimizer;
  /** Factor of the schedule's learning rate. */
  readonly scale: number;
}

/** Settings of each trainable weight by name; the first group that matches decides. Weights of one group share one object. */
export function weightSettings(weights: readonly Weight[], optimizer: Optimizer, groups: readonly WeightGroup[] = []): ReadonlyMap<string, WeightSettings> {
  const rest: WeightSettings = { optimizer, scale: 1 };
  const settings = groups.map((group): WeightSettings => ({ optimizer: group.optimizer ?? optimizer, scale: group.learningRate ?? 1 }));
  return new Map(weights.filter(({ trainable }) => trainable).map(({ name }) => [name, settings[groups.findIndex(({ match }) => match(name))] ?? rest]));
}

/** Checks groups; see `train` for what is thrown. */
export function expectGroups(weights: readonly Weight[], groups: readonly WeightGroup[]): void {
  for (const [i, group] of groups.entries()) {
    const path = `groups[${i}]`;
    expectKnownKeys('train', group, ['match', 'optimizer', 'learningRate']);
    const { match, optimizer, learningRate } = group;
    expectArgument('train', `${path}.match`, typeof match === 'function', 'be a function of a name', match);
    const matched = weights.some(({ name, trainable }) => trainable && match(name));
    expectArgument('train', `${path}.match`, matched, 'hold for a trainable weight', 'none');
    expectArgument('train', `${path}.optimizer`, optimizer === undefined || typeof optimizer.update === 'function', 'be an Optimizer', optimizer);
    if (learningRate !== undefined) expectNumber('train', `${path}.learningRate`, learningRate, 0);
  }
}

/** Groups as plain JSON: by the names that they have, since functions cannot be compared. */
export function describeGroups(weights: readonly Weight[], groups: readonly WeightGroup[]): object[] {
  const left = new Set(weights.filter(({ trainable }) => trainable).map(({ name }) => name));
  return groups.map(({ match, optimizer, learningRate = 1 }) => {
    const names = [...left].filter((name) => match(name));
    names.forEach((name) => left.delete(name));
    return { weights: names, learningRate, ...(optimizer && { optimizer: { name: optimizer.name, ...optimizer.options } }) };
  });
}
