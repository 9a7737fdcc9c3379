import { escapeLatex } from '../internal/escape.js';
import type { Grid } from './grid.js';

const LETTERS = { left: 'l', right: 'r', center: 'c' } as const;

/** See {@link Table.toLatex}. */
export function tableLatex({ caption, headers, aligns, cells, bold, startsGroup }: Grid): string {
  const line = (texts: readonly string[]): string => `${texts.join(' & ')} \\\\`;
  const body = cells.flatMap((row, index) => [
    ...(startsGroup[index] ? ['\\midrule'] : []),
    line(row.map((text, column) => (bold[index]![column] && text !== '' ? `\\textbf{${escapeLatex(text)}}` : escapeLatex(text)))),
  ]);
  const tabular = [`\\begin{tabular}{${aligns.map((align) => LETTERS[align]).join('')}}`, '\\toprule', line(headers.map(escapeLatex)), '\\midrule', ...body, '\\bottomrule', '\\end{tabular}'];
  return (caption === undefined ? tabular : ['\\begin{table}', '\\centering', `\\caption{${escapeLatex(caption)}}`, ...tabular, '\\end{table}']).join('\n');
}
