import { escapeHtml } from '../internal/escape.js';
import type { Grid } from './grid.js';

/** See {@link Table.toHtml}. */
export function tableHtml({ caption, headers, aligns, cells, highlighted, bold, startsGroup }: Grid): string {
  const style = (column: number): string => (aligns[column] === 'left' ? '' : ` style="text-align:${aligns[column]}"`);
  const head = headers.map((header, column) => `<th scope="col"${style(column)}>${escapeHtml(header)}</th>`).join('');
  const body = cells.map((row, index) => {
    const classes = [highlighted[index] ? 'highlight' : '', startsGroup[index] ? 'group' : ''].filter(Boolean).join(' ');
    const content = (text: string, column: number): string => (bold[index]![column] && !highlighted[index] ? `<strong>${escapeHtml(text)}</strong>` : escapeHtml(text));
    const data = row.map((text, column) => `<td${style(column)}>${content(text, column)}</td>`).join('');
    return `<tr${classes === '' ? '' : ` class="${classes}"`}>${data}</tr>`;
  });
  const above = caption === undefined ? '' : `<caption>${escapeHtml(caption)}</caption>\n`;
  return `<table>\n${above}<thead><tr>${head}</tr></thead>\n<tbody>\n${body.join('\n')}\n</tbody>\n</table>`;
}
