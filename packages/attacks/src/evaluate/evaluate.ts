import { getBackend, version_core } from '@tensorflow/tfjs-core';
import { type Attack, ArgumentError, type Bounds, type Dataset, type LogitsFn, createRng, expectArgument, expectInteger, expectKnownKeys, throwIfAborted } from '@moe/core';
import manifest from '../../package.json' with { type: 'json' };
import { createClock } from './clock.js';
import type { Evaluation, EvaluationEvent } from './evaluation.js';
import { judgeBatch } from './judge-batch.js';
import { shardOf } from './shard.js';
import { type EvaluationState, type Fingerprint, readState, writeState } from './state.js';
import { type Origin, summarise } from './summarise.js';
import { type Tally, countOnes, emptyTally, joinTallies } from './tally.js';
import { changedWeights, hashWeights } from './weights.js';

export interface EvaluateOptions {
  readonly model: LogitsFn;
  /** Labelled inputs within `data.bounds`, which must be the bounds of the attacks. */
  readonly data: Dataset;
  /** Attacks with distinct names; give a `label` to tell two of a kind apart. */
  readonly attacks: readonly Attack[];
  /** Root of all randomness; the same seed gives the same result. */
  readonly seed: number;
  /** Examples run together; does not change the result. The state is saved after each batch. @defaultValue 64 */
  readonly batchSize?: number;
  /** How many examples to take, from the first. @defaultValue all */
  readonly limit?: number;
  /** Which examples to take, instead of `limit`. */
  readonly indices?: ArrayLike<number>;
  /** Takes the i-th of n equal parts of these examples, `'i/n'` from `'1/n'` on, for several processes or machines; see {@link mergeEvaluations}. @defaultValue all */
  readonly shard?: string;
  /**
   * For randomised models: draws of the noise behind every verdict. An example is right where no more than half of them are wrong; what an attack that may try again and again leaves is in
   * `everyDraw`. Attacks draw by themselves, see {@link withEot}. @defaultValue 1
   */
  readonly draws?: number;
  /** Names the weights, e.g. a hash; a state of another model is refused. @defaultValue '' */
  readonly modelId?: string;
  /** Keeps what was learnt; see `fileState` of `@moe/attacks/node`. @defaultValue nothing is kept */
  readonly state?: EvaluationState;
  readonly onEvent?: (event: EvaluationEvent) => void;
  /** Checked between steps; timers and signal handlers run between attacks. */
  readonly signal?: AbortSignal;
}

const KEYS = ['model', 'data', 'attacks', 'seed', 'batchSize', 'limit', 'indices', 'shard', 'draws', 'modelId', 'state', 'onEvent', 'signal'];

/**
 * Accuracy of a model without attack and under each of several attacks, with reasons to doubt the numbers.
 *
 * @remarks
 * Each attack runs on every example that is right without attack, independently of the others. Verdicts come from a fresh forward pass
 * on the returned inputs, or with `draws` from so many. An attack's draws depend on seed, attack and example only: `attack.perturb(model, inputs, labels,
 * { rng: createRng(seed), exampleIds: batch.ids })` gives the very inputs that were judged.
 *
 * @returns Plain JSON; no tensor stays alive, also when it throws.
 * @throws {@link ArgumentError} if an option is unknown or wrong.
 * @throws {@link NumericsError} if logits or gradients are not finite, or an attack leaves its ball.
 * @throws {@link CheckpointError} if the state is damaged or belongs to another evaluation.
 * @throws {@link AbortedError} if the signal fires; start again with the same state to go on.
 *
 * @example
 * const result = await evaluate({ model, data, attacks: [pgd({ eps: 8 / 255 }), apgd({ eps: 8 / 255 })], seed: 1, limit: 200 });
 * console.log(result.trust, result.clean.accuracy, result.worstCase.robustAccuracy);
 */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  expectKnownKeys('evaluate', options, KEYS);
  const { model, data, attacks, seed, batchSize = 64, shard, draws = 1, modelId = '', state, onEvent, signal } = options;
  const chosen = chosenIndices(options);
  const indices = shard === undefined ? chosen : shardOf('evaluate', shard, chosen);
  expectInteger('evaluate', 'seed', seed, 0);
  expectInteger('evaluate', 'batchSize', batchSize, 1);
  expectInteger('evaluate', 'draws', draws, 1);
  expectAttacks(attacks, data.bounds);

  const names = attacks.map(({ name }) => name);
  const origin = originOf(options);
  const fingerprint: Fingerprint = {
    data: { name: data.name, split: data.split, length: data.length },
    examples: options.indices === undefined ? `first ${chosen.length}` : Array.from(chosen),
    shard: origin.shard,
    draws,
    engine: origin.engine,
    versions: origin.versions,
    attacks: attacks.map(({ name, options: settings }) => ({ name, options: settings })),
    seed,
    modelId,
  };
  const saved = await state?.read();
  let tally = saved === undefined ? emptyTally(names) : readState(saved, fingerprint, names, draws);

  const rng = createRng(seed);
  const total = indices.length;
  const clock = createClock(attacks, tally.ids.length, total);
  const weights = await hashWeights();
  while (tally.ids.length < total) {
    throwIfAborted('evaluate', signal);
    const before: Tally = tally;
    const done = before.ids.length;
    const batch = await data.read(Array.from({ length: Math.min(batchSize, total - done) }, (_, i) => indices[done + i]!));
    const judged = await judgeBatch({
      model,
      batch,
      bounds: data.bounds,
      attacks,
      rng,
      draws,
      signal,
      onProgress: (attack, progress) => {
        const flags = attack === undefined ? before.clean : before.robust[attack.name]!;
        const phase = attack === undefined ? 'clean' : 'attack';
        const robustSoFar = countOnes(flags) / Math.max(1, done);
        onEvent?.({ phase, attack: attack?.name, done, total, robustSoFar, ...clock(attack, done, batch.ids.length, progress) });
      },
      pause: async () => {
        await new Promise((resolve) => setTimeout(resolve, 0));
        throwIfAborted('evaluate', signal);
      },
    });
    const changed = changedWeights(weights, await hashWeights());
    tally = joinTallies(before, { ...judged, signs: { ...judged.signs, changedWeights: changed } });
    await state?.write(writeState(fingerprint, tally));
  }
  const result = summarise(tally, attacks, origin);
  onEvent?.({ phase: 'done', attack: undefined, done: total, total, robustSoFar: result.worstCase.robustAccuracy, fraction: 1, etaMs: 0 });
  return result;
}

function chosenIndices({ data, limit, indices }: EvaluateOptions): readonly number[] {
  if (limit !== undefined && indices !== undefined) throw new ArgumentError('evaluate: limit and indices must not both be given. Cut indices instead.');
  if (limit !== undefined) expectInteger('evaluate', 'limit', limit, 1);
  const chosen = indices === undefined ? Array.from({ length: Math.min(limit ?? data.length, data.length) }, (_, i) => i) : Array.from(indices);
  expectArgument('evaluate', 'examples', chosen.length > 0, 'be at least one', chosen.length);
  chosen.forEach((index, i) => expectInteger('evaluate', `indices[${i}]`, index, 0, data.length - 1));
  return chosen;
}

function originOf({ data, seed, shard, draws = 1, modelId = '' }: EvaluateOptions): Origin {
  return { data, modelId, seed, draws, engine: getBackend(), versions: { '@moe/attacks': manifest.version, '@tensorflow/tfjs-core': version_core }, shard: shard ?? null };
}

function expectAttacks(attacks: readonly Attack[], bounds: Bounds): void {
  attacks.forEach(({ name, options }, i) => {
    expectArgument('evaluate', `attacks[${i}].name`, attacks.findIndex((other) => other.name === name) === i, 'be unique', name, 'Give the attack a label.');
    const { bounds: own } = options as { bounds?: Bounds };
    const same = own === undefined || (own[0] === bounds[0] && own[1] === bounds[1]);
    expectArgument('evaluate', `attacks[${i}].options.bounds`, same, `be the bounds of the data, [${bounds.join(', ')}]`, own);
  });
}
