/** Entropy of the load of experts as a share of that of even use, in [0, 1]: 0 where one takes all. */
export function loadEntropy(usage: readonly number[]): number {
  const total = usage.reduce((sum, share) => sum + share, 0);
  if (usage.length < 2 || total === 0) return 0;
  return usage.reduce((entropy, share) => (share > 0 ? entropy - (share / total) * Math.log(share / total) : entropy), 0) / Math.log(usage.length);
}
