import { escapeMarkdown } from '../internal/escape.js';
import { type ReportContent, expectContent, paragraphs } from './content.js';

/**
 * Writes the texts and tables of a report in GitHub's Markdown, to be pasted into a README. Figures and `html` are left out.
 *
 * @throws {@link ArgumentError} as {@link htmlReport}.
 *
 * @example
 * ```ts
 * import { markdownReport } from '@moe/report';
 *
 * console.log(markdownReport({ title: 'A run', sections: [{ title: 'Findings', text: 'Nothing significant.' }] }));
 * ```
 */
export function markdownReport(content: ReportContent): string {
  expectContent('markdownReport', content);
  const { title, subtitle, sections, meta = {} } = content;
  const entries = Object.entries(meta).map(([name, value]) => `- ${escapeMarkdown(name)}: ${escapeMarkdown(String(value))}`);
  const blocks = [
    `# ${escapeMarkdown(title)}`,
    ...(subtitle === undefined ? [] : [escapeMarkdown(subtitle)]),
    ...sections.flatMap((section) => [
      `## ${escapeMarkdown(section.title)}`,
      ...paragraphs(section).map(escapeMarkdown),
      ...(section.table === undefined ? [] : [section.table.toMarkdown()]),
    ]),
    ...(entries.length === 0 ? [] : ['## About this run', entries.join('\n')]),
  ];
  return `${blocks.join('\n\n')}\n`;
}
