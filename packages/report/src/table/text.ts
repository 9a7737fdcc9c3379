import { expectInteger, expectKnownKeys } from '@moe/core';
import { displayWidth, truncate } from '../internal/display-width.js';
import type { Grid } from './grid.js';

export interface TextOptions {
  /** Longest line, in terminal cells; the widest columns are cut with "…", no column below 4. @defaultValue no limit */
  readonly width?: number;
  /** Bold headings and highlighted rows, dim lines, by ANSI escapes. @defaultValue false */
  readonly color?: boolean;
}

const GAP = 2;
const NARROWEST = 4;

/** See {@link Table.toText}. */
export function tableText({ caption, headers, aligns, cells, highlighted, bold, startsGroup }: Grid, options: TextOptions = {}): string {
  expectKnownKeys('toText', options, ['width', 'color']);
  const { width, color = false } = options;
  if (width !== undefined) expectInteger('toText', 'width', width, 1);
  const natural = headers.map((header, column) => Math.max(displayWidth(header), ...cells.map((row) => displayWidth(row[column]!))));
  const widths = width === undefined ? natural : shrink(natural, width);
  const paint = (code: number, line: string): string => (color ? `\u001b[${code}m${line}\u001b[0m` : line);
  const line = (texts: readonly string[], painted: readonly boolean[] = []): string => {
    const padded = texts.map((text, column) => pad(truncate(text, widths[column]!), widths[column]!, aligns[column]!));
    return padded.map((text, column) => (painted[column] ? paint(1, text) : text)).join(' '.repeat(GAP)).trimEnd();
  };
  const rule = paint(2, widths.map((cellsWide) => '─'.repeat(cellsWide)).join('─'.repeat(GAP)));
  const body = cells.flatMap((row, index) => [...(startsGroup[index] ? [rule] : []), highlighted[index] ? paint(1, line(row)) : line(row, bold[index])]);
  const tableWidth = widths.reduce((sum, cellsWide) => sum + cellsWide, GAP * (widths.length - 1));
  return [...(caption === undefined ? [] : wrap(caption, tableWidth)), paint(1, line(headers)), rule, ...body].join('\n');
}

function pad(text: string, width: number, align: 'left' | 'right' | 'center'): string {
  const free = width - displayWidth(text);
  const before = align === 'left' ? 0 : align === 'right' ? free : Math.floor(free / 2);
  return ' '.repeat(before) + text + ' '.repeat(free - before);
}

/* Lines of whole words; a word longer than a line gets one to itself. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && displayWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/* Takes one cell at a time from the widest column. */
function shrink(natural: readonly number[], width: number): readonly number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, cellsWide) => sum + cellsWide, GAP * (widths.length - 1)) - width;
  for (; excess > 0; excess--) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= NARROWEST) break;
    widths[widest]!--;
  }
  return widths;
}
