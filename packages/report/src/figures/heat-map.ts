import { expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import { percent } from '../table/format.js';
import { expectDistinct, expectFilled } from '../internal/expect.js';
import { type Figure, figure } from './figure.js';
import { INK } from './theme.js';

export interface HeatMapOptions {
  /** Names of the rows, from top to bottom, e.g. classes. */
  readonly rows: readonly string[];
  /** Names of the columns, from left to right, e.g. experts. */
  readonly columns: readonly string[];
  /** One list a row, one number a column. */
  readonly values: readonly (readonly number[])[];
  readonly title: string;
  readonly subtitle?: string;
  readonly rowTitle?: string;
  readonly columnTitle?: string;
  /** Text in a cell. @defaultValue a whole percentage */
  readonly format?: (value: number) => string;
  /** Values of the lightest and the darkest colour. @defaultValue 0 (or less) and the largest value */
  readonly domain?: readonly [number, number];
}

const ROW_HEIGHT = 32;
const COLUMN_WIDTH = 84;

/**
 * A matrix as coloured cells with their numbers, such as the share of each class that each expert gets.
 *
 * @throws {@link ArgumentError} if there is no row or column, sizes disagree, names repeat or a number is not finite.
 *
 * @example
 * ```ts
 * import { heatMap } from '@moe/report';
 *
 * const figure = heatMap({ title: 'Routing', rows: ['Bag', 'Coat'], columns: ['expert 0', 'expert 1'], values: [[0.9, 0.1], [0.2, 0.8]] });
 * console.log((await figure.toSvg()).includes('90 %')); // true
 * ```
 */
export function heatMap(options: HeatMapOptions): Figure {
  expectKnownKeys('heatMap', options, ['rows', 'columns', 'values', 'title', 'subtitle', 'rowTitle', 'columnTitle', 'format', 'domain']);
  const { rows, columns, values, title, subtitle, rowTitle, columnTitle, format = (value: number) => percent(value, 0) } = options;
  expectFilled('heatMap', 'rows', rows);
  expectFilled('heatMap', 'columns', columns);
  expectDistinct('heatMap', 'rows', rows);
  expectDistinct('heatMap', 'columns', columns);
  expectArgument('heatMap', 'values', values.length === rows.length, `have one list for each of the ${rows.length} rows`, values.length);
  values.forEach((row, r) => {
    expectArgument('heatMap', `values[${r}]`, row.length === columns.length, `have one number for each of the ${columns.length} columns`, row.length);
    row.forEach((value, c) => expectNumber('heatMap', `values[${r}][${c}]`, value));
  });
  const all = values.flat();
  const { domain: [low, high] = [Math.min(0, ...all), Math.max(...all)] } = options;
  expectNumber('heatMap', 'domain[0]', low);
  expectNumber('heatMap', 'domain[1]', high, low);
  const span = high > low ? high - low : 1;

  const cells = values.flatMap((row, r) =>
    row.map((value, c) => ({ row: rows[r], column: columns[c], value, text: format(value), dark: (value - low) / span > 0.55 })),
  );
  const narrow = columns.length > 10;
  const x = { field: 'column', type: 'nominal', sort: null, title: columnTitle ?? null, scale: { domain: columns }, axis: { orient: 'top', labelAngle: narrow ? -45 : 0, domain: false, ticks: false, labelPadding: 8 } };
  const y = { field: 'row', type: 'nominal', sort: null, title: rowTitle ?? null, scale: { domain: rows }, axis: { domain: false, ticks: false, labelPadding: 8 } };
  return figure(title, `Heat map of ${rows.length} rows and ${columns.length} columns.`, {
    title: { text: title, ...(subtitle === undefined ? {} : { subtitle }) },
    width: { step: narrow ? COLUMN_WIDTH / 2 : COLUMN_WIDTH },
    height: { step: ROW_HEIGHT },
    data: { values: cells },
    layer: [
      {
        mark: { type: 'rect', stroke: '#ffffff', strokeWidth: 2 },
        encoding: { x, y, color: { field: 'value', type: 'quantitative', legend: null, scale: { domain: [low, low + span], range: ['#f2f7fb', '#9ecae1', '#3182bd', '#08306b'], interpolate: 'lab', clamp: true } } },
      },
      {
        mark: { type: 'text', fontSize: narrow ? 11 : 13 },
        encoding: { x, y, text: { field: 'text', type: 'nominal' }, color: { condition: { test: 'datum.dark', value: '#ffffff' }, value: INK } },
      },
    ],
  });
}
