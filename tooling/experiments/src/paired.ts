// Two models on the same images, over one or several trainings.
import type { Interval } from '@moe/core';
import { mcnemar } from '@moe/report';

/** Flags of the same images on two paths, one character each. */
export type Pair = readonly [a: string, b: string];

/** How many images are right: flags that are not 0. */
export const countRight = (flags: string): number => flags.replaceAll('0', '').length;

export interface Paired {
  /** Share of the images that a gets right, less that of b. */
  readonly difference: number;
  /** 95 % over the choice of images: Agresti & Min 2005, half an image added to each cell. */
  readonly interval: Interval;
  /** Exact McNemar test on the images that only one of them gets right. */
  readonly p: number;
}

const Z = 1.959964;
const HALF = 0.5;

/** Compares paths on the same images, summed over pairs. */
export function paired(pairs: readonly Pair[]): Paired {
  let [onlyA, onlyB, all] = [0, 0, 0];
  for (const [a, b] of pairs) {
    all += a.length;
    for (let i = 0; i < a.length; i++) {
      if (a[i] === b[i]) continue;
      if (a[i] === '1') onlyA += 1;
      else onlyB += 1;
    }
  }
  const [more, less, count] = [onlyA + HALF, onlyB + HALF, all + 4 * HALF];
  const centre = (more - less) / count;
  const width = (Z * Math.sqrt(Math.max(0, more + less - (more - less) ** 2 / count))) / count;
  return { difference: (onlyA - onlyB) / all, interval: { low: Math.max(-1, centre - width), high: Math.min(1, centre + width) }, p: mcnemar(onlyA, onlyB) };
}

/** Two-sided 95 % quantiles of Student's t with 1, 2, … degrees of freedom. */
const STUDENT = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306, 2.2622];

export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/**
 * 95 % interval of the mean difference over trainings, which differ in weights, order, noise and images; undefined for a single one, of which nothing follows for another.
 *
 * @param differences - one for each seed, taken as normal.
 */
export function overSeeds(differences: readonly number[]): Interval | undefined {
  const [count, centre] = [differences.length, mean(differences)];
  if (count < 2) return undefined;
  const variance = differences.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (count - 1);
  const width = (STUDENT[count - 2] ?? Z) * Math.sqrt(variance / count);
  return { low: Math.max(-1, centre - width), high: Math.min(1, centre + width) };
}

const flagsAt = (flags: string, parity: number): string => Array.from(flags).filter((_, i) => i % 2 === parity).join('');

/**
 * The best of several paths beside another, without the luck of the best: it is picked on one half of the images and compared on the other, both ways round.
 *
 * @param experts - flags of each path.
 * @param whole - flags of the other on the same images.
 */
export function bestAgainst(experts: readonly string[], whole: string): readonly Pair[] {
  return [0, 1].map((parity): Pair => {
    const seen = experts.map((flags) => countRight(flagsAt(flags, parity)));
    const best = seen.indexOf(Math.max(...seen));
    return [flagsAt(experts[best]!, 1 - parity), flagsAt(whole, 1 - parity)];
  });
}
