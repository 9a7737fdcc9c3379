import { expectArgument } from '@moe/core';
import type { Evaluation } from './evaluation.js';
import { sizesFit } from './shard.js';
import { summarise } from './summarise.js';
import { joinTallies } from './tally.js';

/**
 * The evaluation of all examples, from those of its shards.
 *
 * @remarks
 * Equal in every digit to one run without shards, on engines whose arithmetic for a row does not depend on its batch. Findings are judged anew on the whole.
 *
 * @param parts - results of {@link evaluate} with `shard: '1/n'` … `'n/n'` and all else equal, in any order.
 * @throws {@link ArgumentError} if a shard is missing or comes twice, or two are of different evaluations; the message says what differs.
 *
 * @example
 * const parts = await Promise.all(['1/2', '2/2'].map((shard) => evaluate({ model, data, attacks, seed: 1, shard })));
 * const whole = mergeEvaluations(parts);
 */
export function mergeEvaluations(parts: readonly Evaluation[]): Evaluation {
  const placeOf = ({ shard }: Evaluation): number => Number(shard?.split('/')[0]);
  const sorted = [...parts].sort((a, b) => placeOf(a) - placeOf(b));
  const [first] = sorted;
  const wanted = sorted.map((_, i) => `${i + 1}/${sorted.length}`);
  const shards = sorted.map(({ shard }) => shard ?? 'none');
  expectArgument('mergeEvaluations', 'shards', first !== undefined && shards.join() === wanted.join(), `be ${wanted.join(', ') || 'at least one'}`, shards.join(', '));
  sorted.forEach((part, i) => {
    const differing = Object.keys(identityOf(first)).filter((key) => JSON.stringify(identityOf(part)[key]) !== JSON.stringify(identityOf(first)[key]));
    expectArgument('mergeEvaluations', `shard ${wanted[i]}`, differing.length === 0, `be of the same evaluation as ${wanted[0]}`, `other ${differing.join(', ')}`);
  });
  const sizes = sorted.map(({ examples }) => examples);
  expectArgument('mergeEvaluations', 'shards', sizesFit(sizes), 'be of the same examples', `${sizes.join(', ')} of them`);
  const tallies = sorted.map(({ flags: { ids, clean, robust }, rights, perturbations, evidence }) => ({ ids, clean, robust, rights, lengths: perturbations, signs: evidence }));
  const attacks = first.attacks.map(({ name, access, options }) => ({ name, access, options }));
  return summarise(tallies.reduce(joinTallies), attacks, { ...first, shard: null });
}

/** What all shards of one evaluation have in common. */
const identityOf = ({ schema, data, modelId, seed, draws, engine, versions, attacks }: Evaluation): Readonly<Record<string, unknown>> => ({
  schema,
  data,
  modelId,
  seed,
  draws,
  engine,
  versions,
  attacks: attacks.map(({ name, access, options }) => ({ name, access, options })),
});
