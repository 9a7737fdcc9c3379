import type { Attack } from '@moe/core';

interface Effort {
  readonly steps?: number;
  readonly queries?: number;
  readonly restarts?: number;
  readonly targets?: number;
  readonly draws?: number;
  /** Parts of a sequence. */
  readonly attacks?: readonly { readonly options: object }[];
}

/** Passes over an example that an attack may make; only ratios matter. */
function cost({ options }: { readonly options: object }): number {
  const { steps, queries, restarts = 1, targets = 1, draws = 1, attacks } = options as Effort;
  if (attacks !== undefined) return restarts * draws * attacks.reduce((total, part) => total + cost(part), 0);
  return (queries ?? 2 * (steps ?? 1)) * restarts * targets + 1;
}

export interface Reading {
  /** How much of the whole work is done, in `[0, 1]`. */
  readonly fraction: number;
  /** Milliseconds; undefined before any work. */
  readonly etaMs: number | undefined;
}

/**
 * Estimates the time left from the work done since it was made.
 *
 * @returns Function of the running attack (undefined for the clean pass), the examples finished before this batch, the batch's size and how
 * far the attack is, in `[0, 1]`.
 */
export function createClock(attacks: readonly Attack[], doneBefore: number, total: number): (attack: Attack | undefined, done: number, batch: number, progress: number) => Reading {
  const costs = attacks.map(cost);
  const perExample = 1 + costs.reduce((a, b) => a + b, 0);
  const startedAt = performance.now();
  return (attack, done, batch, progress) => {
    const place = attack === undefined ? -1 : attacks.indexOf(attack);
    const earlier = place < 0 ? 0 : 1 + costs.slice(0, place).reduce((a, b) => a + b, 0);
    const within = batch * (earlier + progress * (place < 0 ? 1 : costs[place]!));
    const work = (done - doneBefore) * perExample + within;
    const left = (total - done) * perExample - within;
    return {
      fraction: (done * perExample + within) / (total * perExample),
      etaMs: work <= 0 ? undefined : ((performance.now() - startedAt) * left) / work,
    };
  };
}
