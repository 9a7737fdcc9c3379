import { expectArgument, expectInteger, expectKnownKeys, expectNumber } from '@moe/core';

/** Options of {@link certifySmoothed} and {@link certifySmoothedRoutes}. */
export interface SmoothingOptions {
  /** Standard deviation of the noise, in input units; no default, since it decides what is certified. */
  readonly sigma: number;
  /** Root of all noise. */
  readonly seed: number;
  /** Draws that choose the class. @defaultValue 100, as in the paper */
  readonly selectionDraws?: number;
  /** Draws that count how often it comes. @defaultValue 100000, as in the paper */
  readonly draws?: number;
  /** Chance that one certificate is wrong. @defaultValue 0.001, as in the paper */
  readonly alpha?: number;
  /** Noisy copies that the model sees at once. @defaultValue 256 */
  readonly batchSize?: number;
  /** Identity of each input, so that its noise does not depend on the others. @defaultValue 0 … B-1 */
  readonly exampleIds?: ArrayLike<number>;
  readonly signal?: AbortSignal;
}

/** Options with their defaults. */
export interface SmoothingPlan extends Omit<SmoothingOptions, 'exampleIds' | 'signal'> {
  readonly selectionDraws: number;
  readonly draws: number;
  readonly alpha: number;
  readonly batchSize: number;
  readonly exampleIds: ArrayLike<number>;
  readonly signal: AbortSignal | undefined;
}

const KEYS = ['sigma', 'seed', 'selectionDraws', 'draws', 'alpha', 'batchSize', 'exampleIds', 'signal'];

export function smoothingPlan(caller: string, options: SmoothingOptions, examples: number): SmoothingPlan {
  expectKnownKeys(caller, options, KEYS);
  const { sigma, seed, selectionDraws = 100, draws = 100_000, alpha = 0.001, batchSize = 256, exampleIds = Array.from({ length: examples }, (_, i) => i), signal } = options;
  expectNumber(caller, 'sigma', sigma, Number.MIN_VALUE);
  expectInteger(caller, 'seed', seed, 0);
  expectInteger(caller, 'selectionDraws', selectionDraws, 1);
  expectInteger(caller, 'draws', draws, 1);
  expectArgument(caller, 'alpha', alpha > 0 && alpha <= 0.5, 'lie in (0, 0.5]', alpha);
  expectInteger(caller, 'batchSize', batchSize, 1);
  expectArgument(caller, 'exampleIds', exampleIds.length === examples, `have ${examples} entries, one an input`, exampleIds.length);
  return { sigma, seed, selectionDraws, draws, alpha, batchSize, exampleIds, signal };
}
