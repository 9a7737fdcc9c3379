import { evaluate } from '@moe/attacks';
import type { LogitsFn } from '@moe/core';
import { type ValidatedSet, type ValidationOptions, type ValidationRecord, sharesOf } from './validation.js';

/** What a model in evaluation mode does on all sets. */
export async function validate({ sets, select }: ValidationOptions, model: LogitsFn, seed: number, signal: AbortSignal | undefined): Promise<ValidationRecord> {
  const seen = new Map<string, ValidatedSet>();
  for (const { name, data, attacks = [], limit, batchSize } of sets) {
    const { examples, clean, worstCase, trust } = await evaluate({
      model,
      data,
      attacks,
      seed,
      ...(limit !== undefined && { limit }),
      ...(batchSize !== undefined && { batchSize }),
      ...(signal !== undefined && { signal }),
    });
    seen.set(name, { examples, clean: clean.accuracy, robust: worstCase.robustAccuracy, trust });
  }
  const found = { sets: Object.fromEntries(seen) };
  if (select === undefined) return found;
  return { ...found, score: [...sharesOf(select)].reduce((total, [name, share]) => total + share * seen.get(name)!.robust, 0) };
}
