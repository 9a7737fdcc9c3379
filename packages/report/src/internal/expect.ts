import { type Interval, expectArgument, expectNumber } from '@moe/core';

export function expectText(caller: string, name: string, value: string): void {
  expectArgument(caller, name, typeof value === 'string' && value.trim() !== '', 'be a text', value);
}

export function expectFilled(caller: string, name: string, list: readonly unknown[]): void {
  expectArgument(caller, name, Array.isArray(list) && list.length > 0, 'be a list of at least one entry', list);
}

/** Checks a proportion and, where there is one, the interval around it. */
export function expectProportion(caller: string, name: string, value: number, interval: Interval | undefined): void {
  expectNumber(caller, name, value, 0, 1);
  if (interval === undefined) return;
  expectNumber(caller, `${name} interval.low`, interval.low, 0, 1);
  expectNumber(caller, `${name} interval.high`, interval.high, interval.low, 1);
}

export function expectDistinct(caller: string, name: string, texts: readonly string[]): void {
  const twice = texts.find((text, index) => texts.indexOf(text) !== index);
  expectArgument(caller, name, twice === undefined, 'be distinct', twice, 'Two entries of one name could not be told apart.');
}

export const distinct = (texts: readonly string[]): readonly string[] => [...new Set(texts)];
