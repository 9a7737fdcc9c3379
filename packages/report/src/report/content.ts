import { expectArgument, expectKnownKeys } from '@moe/core';
import type { Figure } from '../figures/figure.js';
import type { Table } from '../table/table.js';

/** One part of a report, shown in the order of the properties here. */
export interface ReportSection {
  readonly title: string;
  /** Plain paragraphs; escaped. */
  readonly text?: string | readonly string[];
  readonly table?: Table;
  readonly figures?: readonly Figure[];
  /** Trusted markup, inserted **as it is**: only what this package made ({@link imageGrid}) or what you escaped ({@link escapeHtml}). Not in Markdown. */
  readonly html?: string;
}

export interface ReportContent {
  readonly title: string;
  readonly subtitle?: string;
  readonly sections: readonly ReportSection[];
  /** What a reader needs to repeat the run: seed, engine, versions, command. Shown at the end. */
  readonly meta?: Readonly<Record<string, string | number | boolean>>;
}

/** Checks the content of a report at run time, as far as types cannot. */
export function expectContent(caller: string, content: ReportContent, extra: readonly string[] = []): void {
  expectKnownKeys(caller, content, ['title', 'subtitle', 'sections', 'meta', ...extra]);
  expectArgument(caller, 'title', typeof content.title === 'string' && content.title.trim() !== '', 'be a text', content.title);
  expectArgument(caller, 'sections', Array.isArray(content.sections), 'be a list of sections', content.sections);
  content.sections.forEach((section, index) => {
    expectKnownKeys(`${caller}: sections[${index}]`, section, ['title', 'text', 'table', 'figures', 'html']);
    expectArgument(caller, `sections[${index}].title`, typeof section.title === 'string' && section.title.trim() !== '', 'be a text', section.title);
  });
}

/** Paragraphs of a section. */
export const paragraphs = ({ text = [] }: ReportSection): readonly string[] => (typeof text === 'string' ? [text] : text);
