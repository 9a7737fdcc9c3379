import { type MoeModel, expectArgument, expectInteger } from '@moe/core';
import type { Json } from './checkpoint/fingerprint.js';

/** Looks at a model after an epoch of {@link train}, such as {@link observeRouting}: an immutable value without state. */
export interface Observer {
  /** Key of what it saw in {@link EpochRecord.observed}. */
  readonly name: string;
  /** Every option with its default filled in; plain JSON, compared when a run is resumed. */
  readonly options: object;
  /** Epochs from one look to the next; the last epoch is always looked at. @defaultValue 1 */
  readonly every?: number;
  /**
   * What it sees; must change nothing in the model.
   *
   * @param epoch - from 0, the one that has ended.
   */
  observe(model: MoeModel, epoch: number, signal: AbortSignal | undefined): Promise<Json>;
}

/** @throws ArgumentError unless all are observers, of different names. */
export function expectObservers(observers: readonly Observer[]): void {
  expectArgument('train', 'observers', Array.isArray(observers) && observers.every((observer) => typeof observer?.observe === 'function'), 'be Observers', observers, 'Make one with observeRouting({ … }).');
  const names = observers.map(({ name }) => name);
  expectArgument('train', 'observers', new Set(names).size === names.length, 'have different names', names);
  observers.forEach(({ every = 1 }, i) => expectInteger('train', `observers[${i}].every`, every, 1));
}

/** What of them is compared when a run is resumed. */
export const describeObservers = (observers: readonly Observer[]): object[] => observers.map(({ name, options, every = 1 }) => ({ name, every, ...options }));

/** What those see that look after an epoch. */
export async function observe(observers: readonly Observer[], model: MoeModel, epoch: number, epochs: number, signal: AbortSignal | undefined): Promise<Readonly<Record<string, Json>>> {
  const seen: Record<string, Json> = {};
  for (const observer of observers) {
    if ((epoch + 1) % (observer.every ?? 1) === 0 || epoch + 1 === epochs) seen[observer.name] = await observer.observe(model, epoch, signal);
  }
  return seen;
}
