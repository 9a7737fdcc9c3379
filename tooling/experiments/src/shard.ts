/** Every n-th run from the i-th on, for `i/n` from `1/n` to `n/n`; undefined for anything else. */
export function shardOf<T>(runs: readonly T[], shard: string): T[] | undefined {
  const [index, count] = shard.split('/').map(Number);
  if (index === undefined || count === undefined || !Number.isInteger(index) || !Number.isInteger(count) || index < 1 || index > count) return undefined;
  return runs.filter((_, i) => i % count === index - 1);
}
