import { escapeMarkdown } from '../internal/escape.js';
import type { Grid } from './grid.js';

const RULES = { left: ':---', right: '---:', center: ':---:' } as const;

/** See {@link Table.toMarkdown}. */
export function tableMarkdown({ caption, headers, aligns, cells, bold }: Grid): string {
  const line = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`;
  const strong = (text: string): string => (text === '' ? '' : `**${text}**`);
  const body = cells.map((row, index) => line(row.map((text, column) => (bold[index]![column] ? strong(escapeMarkdown(text)) : escapeMarkdown(text)))));
  const above = caption === undefined ? [] : [escapeMarkdown(caption), ''];
  return [...above, line(headers.map(escapeMarkdown)), line(aligns.map((align) => RULES[align])), ...body].join('\n');
}
