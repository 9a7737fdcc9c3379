/** A plain JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const isRecord = (value: Json | undefined): value is { readonly [key: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value);
const show = (value: Json | undefined): string => (value === undefined ? 'nothing' : JSON.stringify(value));

/**
 * First place where two JSON values differ, in words.
 *
 * @returns E.g. `objective.batchNorm is "batch" in the checkpoint and "running" now`, or `undefined` if they are equal.
 */
export function firstDifference(stored: Json | undefined, current: Json | undefined, path = ''): string | undefined {
  const children = (value: Json | undefined): { readonly [key: string]: Json } | undefined =>
    isRecord(value) ? value : Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : undefined;
  const [before, now] = [children(stored), children(current)];
  if (before !== undefined && now !== undefined && Array.isArray(stored) === Array.isArray(current)) {
    for (const key of new Set([...Object.keys(now), ...Object.keys(before)])) {
      const difference = firstDifference(before[key], now[key], path === '' ? key : `${path}.${key}`);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }
  return stored === current ? undefined : `${path} is ${show(stored)} in the checkpoint and ${show(current)} now`;
}
