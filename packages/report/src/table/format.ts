import { expectArgument, expectInteger, expectNumber } from '@moe/core';

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/**
 * A proportion in percent: `percent(0.625)` is `62.5 %`.
 *
 * @param value  - proportion, 1 is 100 %.
 * @param digits - decimals of the percentage.
 * @throws {@link ArgumentError} if `value` is not finite or `digits` not an integer in [0, 10].
 */
export function percent(value: number, digits = 1): string {
  expectNumber('percent', 'value', value);
  expectInteger('percent', 'digits', digits, 0, 10);
  return `${fixed(value * 100, digits)} %`;
}

/**
 * An interval of proportions, in percent: `interval(0.556, 0.689)` is `[55.6, 68.9]`.
 *
 * @throws {@link ArgumentError} if a bound is not finite or `low > high`.
 */
export function interval(low: number, high: number, digits = 1): string {
  expectNumber('interval', 'low', low);
  expectNumber('interval', 'high', high);
  expectArgument('interval', 'low', low <= high, `be at most high = ${high}`, low);
  expectInteger('interval', 'digits', digits, 0, 10);
  return `[${fixed(low * 100, digits)}, ${fixed(high * 100, digits)}]`;
}

/**
 * A length of time in its natural units: `850 ms`, `12.3 s`, `4 min 05 s`, `2 h 03 min`.
 *
 * @param milliseconds - the length, ≥ 0.
 * @throws {@link ArgumentError} if it is negative or not finite.
 */
export function duration(milliseconds: number): string {
  expectNumber('duration', 'milliseconds', milliseconds, 0);
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 59_950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${twoDigits(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${grouped.format(Math.floor(minutes / 60))} h ${twoDigits(minutes % 60)} min`;
}

/**
 * A whole number with its thousands apart: `count(12000)` is `12,000`.
 *
 * @throws {@link ArgumentError} if `value` is not a safe integer.
 */
export function count(value: number): string {
  expectArgument('count', 'value', Number.isSafeInteger(value), 'be a whole number', value);
  return grouped.format(value);
}

const twoDigits = (value: number): string => String(value).padStart(2, '0');

/* toFixed without "-0.0". */
const fixed = (value: number, digits: number): string => value.toFixed(digits).replace(/^-(0(?:\.0+)?)$/, '$1');
