import { expectArgument } from '@moe/core';
import { escapeHtml } from '../internal/escape.js';
import { type ReportContent, type ReportSection, expectContent, paragraphs } from './content.js';
import { STYLE } from './style.js';

export interface HtmlReportOptions extends ReportContent {
  /** Language of the texts, BCP 47. @defaultValue `'en'` */
  readonly lang?: string;
}

/* The report needs nothing from anywhere, and may run nothing. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/**
 * Writes a report as one HTML file: figures as inline SVG, images as data, no script, no request.
 *
 * @remarks
 * Every text is escaped. Only `html` of a section is not: see {@link ReportSection.html}. A content security policy in the file
 * forbids scripts and requests all the same.
 *
 * @throws {@link ArgumentError} if a title is missing or a key unknown.
 *
 * @example
 * ```ts
 * import { htmlReport } from '@moe/report';
 *
 * const page = await htmlReport({ title: 'A run', sections: [{ title: 'Findings', text: 'Nothing significant.' }], meta: { seed: 1 } });
 * console.log(page.startsWith('<!doctype html>')); // true
 * ```
 */
export async function htmlReport({ lang = 'en', ...content }: HtmlReportOptions): Promise<string> {
  expectContent('htmlReport', content);
  expectArgument('htmlReport', 'lang', /^[a-zA-Z]{2,8}(-[a-zA-Z0-9]{1,8})*$/.test(lang), 'be a language tag', lang);
  const { title, subtitle, sections, meta = {} } = content;
  const parts = await Promise.all(sections.map(sectionHtml));
  const links = sections.length < 3 ? '' : `<nav><ul>\n${sections.map((section, index) => `<li><a href="#s${index + 1}">${escapeHtml(section.title)}</a></li>`).join('\n')}\n</ul></nav>\n`;
  return `<!doctype html>
<html lang="${lang}">
<head>
<meta charset="utf-8" />
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(POLICY)}" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}</h1>
${subtitle === undefined ? '' : `<p class="subtitle">${escapeHtml(subtitle)}</p>\n`}${links}</header>
<main>
${parts.join('\n')}
</main>
${metaHtml(meta)}</body>
</html>
`;
}

async function sectionHtml(section: ReportSection, index: number): Promise<string> {
  const pictures = await Promise.all((section.figures ?? []).map((figure) => figure.toSvg()));
  return [
    `<section id="s${index + 1}">`,
    `<h2>${escapeHtml(section.title)}</h2>`,
    ...paragraphs(section).map((text) => `<p>${escapeHtml(text)}</p>`),
    ...(section.table === undefined ? [] : [`<div class="scroll">${section.table.toHtml()}</div>`]),
    ...pictures.map((svg) => `<figure>${svg}</figure>`),
    ...(section.html === undefined ? [] : [section.html]),
    '</section>',
  ].join('\n');
}

function metaHtml(meta: NonNullable<ReportContent['meta']>): string {
  const entries = Object.entries(meta);
  if (entries.length === 0) return '';
  const rows = entries.map(([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(String(value))}</dd></div>`);
  return `<footer>\n<h2>About this run</h2>\n<dl>\n${rows.join('\n')}\n</dl>\n</footer>\n`;
}
