import { expectArgument, expectKnownKeys, expectOneOf } from '@moe/core';
import { oneLine } from '../internal/escape.js';
import type { Grid } from './grid.js';
import { tableHtml } from './html.js';
import { tableLatex } from './latex.js';
import { tableMarkdown } from './markdown.js';
import { type TextOptions, tableText } from './text.js';

/** One column of a {@link table}: which property of a row it shows, and how. */
export type Column<Row> = {
  [Key in keyof Row & string]: {
    /** Property of the row. */
    readonly key: Key;
    /** Heading. @defaultValue the key */
    readonly header?: string;
    /** @defaultValue `'right'` if every value is a number, else `'left'` */
    readonly align?: 'left' | 'right' | 'center';
    /** Text of a value. Missing values (`undefined`, `null`) are shown as "–" and not passed. @defaultValue `String` */
    readonly format?: (value: NonNullable<Row[Key]>) => string;
    /** Values to be set in bold, such as the best; of missing ones none. @defaultValue those of highlighted rows */
    readonly bold?: (value: NonNullable<Row[Key]>, row: Row) => boolean;
  };
}[keyof Row & string];

export interface TableOptions<Row extends object> {
  /** Columns from left to right, at least one. */
  readonly columns: readonly Column<NoInfer<Row>>[];
  readonly rows: readonly Row[];
  /** Sentence above the table. */
  readonly caption?: string;
  /** Rows to be set in bold. @defaultValue none */
  readonly highlight?: (row: NoInfer<Row>) => boolean;
  /** A line is drawn where the value of this property changes from row to row. @defaultValue no lines */
  readonly groupBy?: keyof NoInfer<Row> & string;
}

/** A table that can be printed, pasted and published. */
export interface Table {
  readonly caption: string | undefined;
  /** For terminals: aligned columns, one line a row, no trailing spaces. */
  toText(options?: TextOptions): string;
  /** GitHub's Markdown; every cell is literal text. */
  toMarkdown(): string;
  /** A `<table>` element; every cell is escaped. */
  toHtml(): string;
  /** A `tabular` with the lines of the package booktabs, in a `table` if there is a caption; every cell is literal text. */
  toLatex(): string;
}

const ALIGNMENTS = ['left', 'right', 'center'] as const;

/**
 * Lays out rows of values once, for text, Markdown, HTML and LaTeX.
 *
 * @returns An immutable value; cells are formatted here, not when printed.
 * @throws {@link ArgumentError} if there is no column, a number is NaN or a format does not return text.
 *
 * @example
 * ```ts
 * import { percent, table } from '@moe/report';
 *
 * const results = table({
 *   columns: [{ key: 'model' }, { key: 'clean', format: (value) => percent(value) }],
 *   rows: [{ model: 'dense', clean: 0.825 }, { model: 'moe', clean: 0.81 }],
 * });
 * console.log(results.toText());
 * ```
 */
export function table<Row extends object>(options: TableOptions<Row>): Table {
  expectKnownKeys('table', options, ['columns', 'rows', 'caption', 'highlight', 'groupBy']);
  const { columns, rows, caption, highlight, groupBy } = options;
  expectArgument('table', 'columns', columns.length > 0, 'name at least one column', columns);
  columns.forEach((column, index) => {
    expectKnownKeys(`table: columns[${index}]`, column, ['key', 'header', 'align', 'format', 'bold']);
    if (column.align !== undefined) expectOneOf('table', `columns[${index}].align`, column.align, ALIGNMENTS);
  });
  const highlighted = rows.map((row) => highlight?.(row) ?? false);
  const grid: Grid = {
    caption: caption === undefined ? undefined : oneLine(caption),
    headers: columns.map(({ key, header = key }) => oneLine(header)),
    aligns: columns.map(({ key, align }) => align ?? (rows.length > 0 && rows.every((row) => typeof row[key] === 'number') ? 'right' : 'left')),
    cells: rows.map((row, index) => columns.map((column) => cell(row, column, index))),
    highlighted,
    bold: rows.map((row, index) => columns.map((column) => highlighted[index]! || isBold(row, column))),
    startsGroup: rows.map((row, index) => groupBy !== undefined && index > 0 && row[groupBy] !== rows[index - 1]![groupBy]),
  };
  return {
    caption: grid.caption,
    toText: (textOptions) => tableText(grid, textOptions),
    toMarkdown: () => tableMarkdown(grid),
    toHtml: () => tableHtml(grid),
    toLatex: () => tableLatex(grid),
  };
}

function isBold<Row extends object>(row: Row, { key, bold }: Column<Row>): boolean {
  const value = row[key];
  return bold !== undefined && value !== undefined && value !== null && bold(value, row);
}

function cell<Row extends object>(row: Row, { key, format = String }: Column<Row>, index: number): string {
  const value = row[key];
  if (value === undefined || value === null) return '–';
  expectArgument('table', `rows[${index}].${key}`, !Number.isNaN(value), 'be a number or absent', value, 'Leave the property out where nothing was measured.');
  const text = format(value);
  expectArgument('table', `format of column '${key}'`, typeof text === 'string', 'return a string', text);
  return oneLine(text);
}
