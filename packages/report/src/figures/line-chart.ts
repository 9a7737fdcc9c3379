import { expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { expectDistinct, expectFilled, expectText } from '../internal/expect.js';
import { type Figure, figure } from './figure.js';
import { categoricalScale } from './theme.js';

export interface LineSeries {
  readonly name: string;
  /** In the order of `x`. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface LineChartOptions {
  readonly series: readonly LineSeries[];
  readonly xTitle: string;
  readonly yTitle: string;
  readonly title?: string;
  readonly subtitle?: string;
  /** `'percent'` shows 0.5 as 50% and starts at 0. @defaultValue `'number'` */
  readonly yFormat?: 'number' | 'percent';
}

const DASHES = [[1, 0], [6, 3], [2, 3], [8, 3, 2, 3]] as const;
const MOST_SYMBOLS = 40;
const LEGEND = { symbolType: 'stroke', symbolSize: 600, symbolStrokeWidth: 2.25 } as const;

/**
 * Named curves over a common axis, such as losses over epochs; told apart by colour and by dashes.
 *
 * @throws {@link ArgumentError} if a series is empty, names repeat or a coordinate is not finite.
 *
 * @example
 * ```ts
 * import { lineChart } from '@moe/report';
 *
 * const figure = lineChart({ xTitle: 'epoch', yTitle: 'loss', series: [{ name: 'dense', points: [{ x: 1, y: 1.9 }, { x: 2, y: 1.4 }] }] });
 * console.log((await figure.toSvg()).length > 0); // true
 * ```
 */
export function lineChart(options: LineChartOptions): Figure {
  expectKnownKeys('lineChart', options, ['series', 'xTitle', 'yTitle', 'title', 'subtitle', 'yFormat']);
  const { series, xTitle, yTitle, title = `${yTitle} over ${xTitle}`, subtitle, yFormat = 'number' } = options;
  expectText('lineChart', 'xTitle', xTitle);
  expectText('lineChart', 'yTitle', yTitle);
  expectOneOf('lineChart', 'yFormat', yFormat, ['number', 'percent']);
  expectFilled('lineChart', 'series', series);
  const names = series.map(({ name }) => name);
  expectDistinct('lineChart', 'names of series', names);
  series.forEach(({ name, points }, index) => {
    expectText('lineChart', `series[${index}].name`, name);
    expectFilled('lineChart', `series[${index}].points`, points);
    points.forEach(({ x, y }, at) => {
      expectNumber('lineChart', `series[${index}].points[${at}].x`, x);
      expectNumber('lineChart', `series[${index}].points[${at}].y`, y);
    });
  });

  const lowest = Math.min(...series.flatMap(({ points }) => points.map(({ y }) => y)));
  const level = series.every(({ points }) => points.every(({ y }) => y === lowest)); // Vega makes no axis of a single value
  const whole = series.every(({ points }) => points.every(({ x }) => Number.isInteger(x)));
  return figure(title, `Line chart of ${yTitle} over ${xTitle}, ${series.length} curves.`, {
    title: { text: title, ...(subtitle === undefined ? {} : { subtitle }) },
    width: 600,
    height: 320,
    data: { values: series.flatMap(({ name, points }) => points.map(({ x, y }) => ({ name, x, y }))) },
    mark: { type: 'line', strokeWidth: 2.25, point: series.every(({ points }) => points.length <= MOST_SYMBOLS) ? { size: 45 } : false },
    encoding: {
      x: { field: 'x', type: 'quantitative', title: xTitle, scale: { zero: false, nice: false, padding: 8 }, axis: { grid: false, ...(whole ? { tickMinStep: 1, format: 'd' } : {}) } },
      y: { field: 'y', type: 'quantitative', title: yTitle, scale: level ? { domain: [Math.min(0, lowest), Math.max(0, lowest || 1)] } : { zero: yFormat === 'percent' }, ...(yFormat === 'percent' ? { axis: { format: '.0%' } } : {}) },
      color: { field: 'name', type: 'nominal', title: null, legend: LEGEND, scale: categoricalScale(names) },
      strokeDash: { field: 'name', type: 'nominal', title: null, legend: LEGEND, scale: { domain: names, range: names.map((_, index) => DASHES[index % DASHES.length]) } },
    },
  });
}
