import { expectArgument } from '@moe/core';

/**
 * The part of some examples that a shard holds: consecutive ones, so that shards in order are the whole in order.
 *
 * @param shard - `'i/n'`, i from 1 to n, as of test runners.
 */
export function shardOf<T>(caller: string, shard: string, examples: readonly T[]): readonly T[] {
  const [, index, count] = (/^(\d{1,9})\/(\d{1,9})$/.exec(shard) ?? []).map(Number);
  const valid = index !== undefined && count !== undefined && index >= 1 && index <= count;
  expectArgument(caller, 'shard', valid, "be 'i/n' with 1 ≤ i ≤ n", shard);
  expectArgument(caller, 'shard', count <= examples.length, `have n ≤ ${examples.length}, the number of examples`, shard);
  return examples.slice(...boundsOf(index, count, examples.length));
}

const boundsOf = (index: number, count: number, length: number): [number, number] => [Math.floor(((index - 1) * length) / count), Math.floor((index * length) / count)];

/** Whether parts of these sizes, in order, are the shards 1/n … n/n of one list. */
export function sizesFit(sizes: readonly number[]): boolean {
  const length = sizes.reduce((a, b) => a + b, 0);
  return sizes.every((size, i) => {
    const [from, to] = boundsOf(i + 1, sizes.length, length);
    return size === to - from;
  });
}
