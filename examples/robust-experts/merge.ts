import type { DeepPartial } from './schema.js';

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Lays `over` on `base`, key by key; lists are replaced as a whole. */
export function merge<T>(base: T, over: DeepPartial<T>): T {
  if (!isObject(base) || !isObject(over)) return over as T;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) merged[key] = key in merged ? merge(merged[key], value as DeepPartial<unknown>) : value;
  return merged as T;
}
