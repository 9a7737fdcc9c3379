import type { EpochRecord } from '../history.js';

/** An epoch that was looked at. */
export interface ScoredEpoch {
  readonly epoch: number;
  readonly score: number;
}

const scored = (history: readonly EpochRecord[]): readonly ScoredEpoch[] =>
  history.flatMap(({ epoch, validation }) => (validation?.score === undefined ? [] : [{ epoch, score: validation.score }]));

/** The epoch of highest score, of equal ones the first; `undefined` before the first look. */
export const bestEpoch = (history: readonly EpochRecord[]): ScoredEpoch | undefined =>
  scored(history).reduce<ScoredEpoch | undefined>((best, next) => (best === undefined || next.score > best.score ? next : best), undefined);

/** Whether as many looks as `patience` came after the best. */
export function isExhausted(history: readonly EpochRecord[], patience = Infinity): boolean {
  const best = bestEpoch(history);
  return best !== undefined && scored(history).filter(({ epoch }) => epoch > best.epoch).length >= patience;
}
