import type { Trust } from '@moe/attacks';
import { type Attack, type Dataset, expectArgument, expectInteger, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';

const WEIGHTS = ['current', 'ema'] as const;

/** Examples by which a model is judged while it trains. */
export interface ValidationSet {
  /** Key in {@link ValidationRecord.sets}. */
  readonly name: string;
  /** Held out of the training data, e.g. by `split` of `@moe/datasets`; never the test set. */
  readonly data: Dataset;
  /** Each runs on every example that is right without attack, from the same start at each look; the worst case of all counts. @defaultValue none: clean accuracy */
  readonly attacks?: readonly Attack[];
  /** How many examples, from the first. @defaultValue all */
  readonly limit?: number;
  /** Examples run together; does not change the result. @defaultValue 64 */
  readonly batchSize?: number;
}

/** Looks at examples that are not trained on, see {@link TrainOptions.validation}. */
export interface ValidationOptions {
  /** With different names. */
  readonly sets: readonly ValidationSet[];
  /** Epochs from one look to the next; the last epoch is always looked at. @defaultValue 1 */
  readonly every?: number;
  /**
   * Which accuracy under attack tells the best epoch: that on one set, by name, or on a mixture of sets, each with its share, e.g. `{ clean: 1, pgd: 1 }`. Of equal epochs the first is taken.
   * @defaultValue no epoch is selected
   */
  readonly select?: string | Readonly<Record<string, number>>;
  /** Ends the run after so many looks in a row that find nothing better, against robust overfitting; needs `select`. @defaultValue the run has all its epochs */
  readonly patience?: number;
  /** What is looked at, and kept of the best epoch: the weights as they are, or their moving averages, which needs `ema`. @defaultValue 'current' */
  readonly weights?: (typeof WEIGHTS)[number];
}

/** Accuracies on one {@link ValidationSet}, in [0, 1], in evaluation mode. */
export interface ValidatedSet {
  readonly examples: number;
  readonly clean: number;
  /** Share that is right without attack and under each one; `clean` where the set has no attacks. */
  readonly robust: number;
  /** Whether the numbers can be believed; see `evaluate` of `@moe/attacks`. */
  readonly trust: Trust;
}

/** What a look at the end of an epoch found. */
export interface ValidationRecord {
  readonly sets: Readonly<Record<string, ValidatedSet>>;
  /** What epochs are compared by; missing without `select`. */
  readonly score?: number;
}

/** Shares of the sets in the score, which sum to 1. */
export function sharesOf(select: NonNullable<ValidationOptions['select']>): ReadonlyMap<string, number> {
  const parts = typeof select === 'string' ? [[select, 1] as const] : Object.entries(select);
  const total = parts.reduce((sum, [, share]) => sum + share, 0);
  return new Map(parts.map(([name, share]) => [name, share / total]));
}

function expectSet(set: ValidationSet, path: string): void {
  expectKnownKeys('train', set, ['name', 'data', 'attacks', 'limit', 'batchSize']);
  const { name, data, attacks = [], limit, batchSize } = set;
  expectArgument('train', `${path}.name`, typeof name === 'string' && name !== '', 'be a name', name);
  expectArgument('train', `${path}.data`, typeof data?.read === 'function', 'be a Dataset', data);
  // Also what was cut off a test set: choosing an epoch by it would make the test accuracy too high.
  expectArgument('train', `${path}.data.split`, !/^test\b/.test(data.split), 'not be the test set', data.split, "Hold out a part of the training set with split(…) of '@moe/datasets'.");
  const areAttacks = Array.isArray(attacks) && attacks.every((attack) => typeof attack?.perturb === 'function');
  expectArgument('train', `${path}.attacks`, areAttacks, 'be Attacks', attacks, "Make them with pgd({ … }) of '@moe/attacks'.");
  if (limit !== undefined) expectInteger('train', `${path}.limit`, limit, 1);
  if (batchSize !== undefined) expectInteger('train', `${path}.batchSize`, batchSize, 1);
}

/** Checks the options; see `train` for what is thrown. */
export function expectValidation(options: ValidationOptions, hasAverages: boolean): void {
  expectKnownKeys('train', options, ['sets', 'every', 'select', 'patience', 'weights']);
  const { sets, every, select, patience, weights = 'current' } = options;
  expectArgument('train', 'validation.sets', Array.isArray(sets) && sets.length > 0, 'hold at least one set', sets);
  for (const [i, set] of sets.entries()) expectSet(set, `validation.sets[${i}]`);
  const names = sets.map(({ name }) => name);
  expectArgument('train', 'validation.sets', new Set(names).size === names.length, 'have different names', names);
  if (every !== undefined) expectInteger('train', 'validation.every', every, 1);
  if (select !== undefined) {
    for (const [name, share] of sharesOf(select)) {
      expectArgument('train', 'validation.select', names.includes(name), `name sets (${names.join(', ')})`, name);
      expectNumber('train', `validation.select.${name}`, share, 0, 1);
    }
  }
  if (patience !== undefined) {
    expectInteger('train', 'validation.patience', patience, 1);
    expectArgument('train', 'validation.patience', select !== undefined, 'come with select', patience, 'Name the set whose accuracy counts.');
  }
  expectOneOf('train', 'validation.weights', weights, WEIGHTS);
  expectArgument('train', 'validation.weights', weights === 'current' || hasAverages, "be 'current' without the option ema", weights);
}

/** What of them is compared when a run is resumed. */
export function describeValidation({ sets, every = 1, select, patience, weights = 'current' }: ValidationOptions): object {
  const described = sets.map(({ name, data, attacks = [], limit }) => ({
    name,
    data: { name: data.name, split: data.split, length: data.length },
    attacks: attacks.map(({ name: attack, options }) => ({ name: attack, options })),
    limit,
  }));
  return { sets: described, every, select, patience, weights };
}
