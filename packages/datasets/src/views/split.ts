import { type Dataset, type Rng, expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import type { LabelledDataset } from '../array-dataset.js';
import { labelsOf } from '../internal/labels.js';
import { subset } from './subset.js';

/** Options of {@link split}. */
export interface SplitOptions {
  /** Whether each part has the class shares of the whole. @defaultValue true */
  readonly stratified?: boolean;
}

/** One data set per fraction. */
export type Parts<D extends Dataset, F extends readonly number[]> = { -readonly [I in keyof F]: D extends LabelledDataset ? LabelledDataset : Dataset };

const ROUNDING = 1e-9;

/**
 * Divides a data set at random into parts without common examples.
 *
 * @remarks
 * Part i has the examples between `N · (f₀ + … + fᵢ₋₁)` and `N · (f₀ + … + fᵢ)`, rounded, of one random order. Stratified, that order mixes the
 * classes evenly (systematic sampling: the j-th of n members of a class stands at (j + ½)/n), so that any prefix of a part is
 * balanced as the whole is. A data set without {@link LabelledDataset.labels} is then read once.
 *
 * @param fractions - share of each part, > 0; at most 1 together, the rest is left out.
 * @returns One data set per fraction, its `split` being the parent's with `[i]` appended.
 * @throws ArgumentError if the fractions are no such shares.
 *
 * @example
 * const [train, validation] = await split(dataset, [0.8, 0.2], createRng(1));
 */
export async function split<D extends Dataset, const F extends readonly number[]>(dataset: D, fractions: F, rng: Rng, options: SplitOptions = {}): Promise<Parts<D, F>> {
  expectKnownKeys('split', options, ['stratified']);
  const { stratified = true } = options;
  fractions.forEach((fraction, i) => expectNumber('split', `fractions[${i}]`, fraction, Number.MIN_VALUE, 1));
  const ends = fractions.map((_, i) => fractions.slice(0, i + 1).reduce((total, fraction) => total + fraction, 0));
  expectArgument('split', 'fractions', fractions.length > 0 && ends.at(-1)! <= 1 + ROUNDING, 'be shares of at most 1 together', fractions);
  const shuffled = rng.stream('split').permutation(dataset.length);
  const order = stratified ? mixClasses(shuffled, await labelsOf(dataset)) : shuffled;
  const cut = (end: number): number => Math.round(end * dataset.length);
  const parts = ends.map((end, i) => ({ ...subset(dataset, order.subarray(cut(ends[i - 1] ?? 0), cut(end))), split: `${dataset.split}[${i}]` }));
  return parts as Dataset[] as Parts<D, F>;
}

function mixClasses(shuffled: Int32Array, labels: Int32Array): Int32Array {
  const counts = new Map<number, number>();
  const rank = new Map<number, number>();
  for (const index of shuffled) {
    const label = labels[index]!;
    const before = counts.get(label) ?? 0;
    rank.set(index, before);
    counts.set(label, before + 1);
  }
  const place = (index: number): number => (rank.get(index)! + 0.5) / counts.get(labels[index]!)!;
  // Sorting is stable: classes that share a place keep their random order.
  return shuffled.slice().sort((a, b) => place(a) - place(b));
}
