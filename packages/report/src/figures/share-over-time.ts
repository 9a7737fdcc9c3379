import { expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import { expectDistinct, expectFilled } from '../internal/expect.js';
import { type Figure, figure } from './figure.js';
import { categoricalScale } from './theme.js';

export interface ShareOverTimeOptions {
  /** Moments, e.g. epochs, in order. */
  readonly times: readonly number[];
  /** Who shares, e.g. experts. */
  readonly names: readonly string[];
  /** One list a moment, one share a name; each list sums to 1. */
  readonly shares: readonly (readonly number[])[];
  /** @defaultValue `'Share of inputs per expert'` */
  readonly title?: string;
  readonly subtitle?: string;
  /** @defaultValue `'Epoch'` */
  readonly xTitle?: string;
  /** @defaultValue `'Share of inputs'` */
  readonly yTitle?: string;
}

/**
 * Stacked bars over time: a router that collapses shows as one colour that takes all.
 *
 * @throws {@link ArgumentError} if sizes disagree, names or moments repeat, or the shares of a moment do not sum to 1.
 *
 * @example
 * ```ts
 * import { shareOverTime } from '@moe/report';
 *
 * const figure = shareOverTime({ times: [1, 2], names: ['expert 0', 'expert 1'], shares: [[0.5, 0.5], [0.9, 0.1]] });
 * console.log((await figure.toSvg()).length > 0); // true
 * ```
 */
export function shareOverTime(options: ShareOverTimeOptions): Figure {
  expectKnownKeys('shareOverTime', options, ['times', 'names', 'shares', 'title', 'subtitle', 'xTitle', 'yTitle']);
  const { times, names, shares, title = 'Share of inputs per expert', subtitle, xTitle = 'Epoch', yTitle = 'Share of inputs' } = options;
  expectFilled('shareOverTime', 'times', times);
  expectFilled('shareOverTime', 'names', names);
  expectDistinct('shareOverTime', 'names', names);
  expectDistinct('shareOverTime', 'times', times.map(String));
  times.forEach((time, index) => expectNumber('shareOverTime', `times[${index}]`, time));
  expectArgument('shareOverTime', 'shares', shares.length === times.length, `have one list for each of the ${times.length} times`, shares.length);
  shares.forEach((list, index) => {
    expectArgument('shareOverTime', `shares[${index}]`, list.length === names.length, `have one share for each of the ${names.length} names`, list.length);
    list.forEach((share, at) => expectNumber('shareOverTime', `shares[${index}][${at}]`, share, 0, 1 + 1e-6));
    const sum = list.reduce((total, share) => total + share, 0);
    expectArgument('shareOverTime', `shares[${index}]`, Math.abs(sum - 1) < 1e-3, 'sum to 1', sum, 'Divide counts by their sum.');
  });

  return figure(title, `Stacked bars of ${yTitle} over ${xTitle}, ${names.length} parts.`, {
    title: { text: title, ...(subtitle === undefined ? {} : { subtitle }) },
    width: 600,
    height: 280,
    data: { values: times.flatMap((time, t) => names.map((name, n) => ({ time, name, order: n, share: shares[t]![n] }))) },
    mark: { type: 'bar', stroke: '#ffffff', strokeWidth: times.length > 60 ? 0 : 1 },
    encoding: {
      x: { field: 'time', type: 'ordinal', title: xTitle, scale: { domain: times, paddingInner: 0.08 }, axis: { labelAngle: 0, labelOverlap: true, ticks: false, domain: false } },
      y: { field: 'share', type: 'quantitative', title: yTitle, scale: { domain: [0, 1] }, axis: { format: '.0%', tickCount: 5 } },
      color: { field: 'name', type: 'nominal', title: null, scale: categoricalScale(names) },
      order: { field: 'order', type: 'quantitative', sort: 'descending' },
    },
  });
}
