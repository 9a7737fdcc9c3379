import { escapeHtml } from '../internal/escape.js';
import type { Grid } from './grid.js';

/** See {@link Table.toHtml}. */
export function tableHtml({ caption, headers, aligns, cells, highlighted, startsGroup }: Grid): string {
  const style = (column: number): string => (aligns[column] === 'left' ? '' : ` style="text-align:${aligns[column]}"`);
  const head = headers.map((header, column) => `<th scope="col"${style(column)}>${escapeHtml(header)}</th>`).join('');
  const body = cells.map((row, index) => {
    const classes = [highlighted[index] ? 'highlight' : '', startsGroup[index] ? 'group' : ''].filter(Boolean).join(' ');
    const data = row.map((text, column) => `<td${style(column)}>${escapeHtml(text)}</td>`).join('');
    return `<tr${classes === '' ? '' : ` class="${classes}"`}>${data}</tr>`;
  });
  const above = caption === undefined ? '' : `<caption>${escapeHtml(caption)}</caption>\n`;
  return `<table>\n${above}<thead><tr>${head}</tr></thead>\n<tbody>\n${body.join('\n')}\n</tbody>\n</table>`;
}
