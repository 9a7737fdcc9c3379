import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { heatMap } from '../figures/heat-map.js';
import { imageGrid } from '../images/image-grid.js';
import { hostileText, printable } from '../internal/hostile-text-in-tests.js';
import { elements, parseXml, textOf } from '../internal/xml-in-tests.js';
import { table } from '../table/table.js';
import { htmlReport } from './html-report.js';
import { markdownReport } from './markdown-report.js';

const content = {
  title: 'Robust experts',
  subtitle: 'Fashion-MNIST',
  sections: [
    { title: 'Findings', text: ['Nothing significant.', 'A second paragraph.'] },
    { title: 'Accuracy', table: table({ columns: [{ key: 'model' }], rows: [{ model: 'dense' }] }) },
    {
      title: 'Routing',
      figures: [heatMap({ title: 'Routing', rows: ['Bag'], columns: ['expert 0'], values: [[1]] })],
      html: imageGrid({ rows: [{ label: 'clean', images: [{ data: Float32Array.of(0), height: 1, width: 1, channels: 1 }] }] }),
    },
  ],
  meta: { seed: 1, command: 'pnpm start' },
};

describe('htmlReport', () => {
  it('is one well-formed page with its sections in order', async () => {
    const page = await htmlReport(content);
    const root = parseXml(page);
    expect(page).toMatch(/^<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8" \/>/);
    expect(elements(root, 'h2').map(textOf)).toEqual(['Findings', 'Accuracy', 'Routing', 'About this run']);
    expect(elements(root, 'a').map(({ attributes }) => attributes['href'])).toEqual(['#s1', '#s2', '#s3']);
    expect(elements(root, 'section').map(({ attributes }) => attributes['id'])).toEqual(['s1', 's2', 's3']);
    expect(elements(root, 'dd').map(textOf)).toEqual(['1', 'pnpm start']);
    expect(elements(root, 'table')).toHaveLength(2);
    expect(elements(root, 'svg')).toHaveLength(1);
  });

  it('asks for nothing and may run nothing', async () => {
    const root = parseXml(await htmlReport(content));
    const links = elements(root).flatMap(({ attributes }) => ['href', 'src', 'xlink:href', 'action', 'data'].flatMap((name) => attributes[name] ?? []));
    expect(links.every((link) => link.startsWith('#') || link.startsWith('data:image/png;base64,'))).toBe(true);
    expect(elements(root).filter(({ name }) => ['script', 'link', 'iframe', 'object', 'image'].includes(name))).toEqual([]);
    expect(elements(root, 'style').map(textOf).join('')).not.toMatch(/url\(|@import/);
    expect(elements(root, 'meta').find(({ attributes }) => attributes['http-equiv'])!.attributes['content']).toBe("default-src 'none'; style-src 'unsafe-inline'; img-src data:");
  });

  it('shows any text literally', async () => {
    const names = (page: string) => elements(parseXml(page)).map(({ name }) => name);
    const make = (text: string) =>
      htmlReport({ title: `t${text}`, subtitle: text, sections: [{ title: `s${text}`, text, table: table({ columns: [{ key: 'x', header: text }], rows: [{ x: text }], caption: text }) }], meta: { [`m${text}`]: text } });
    const plain = names(await make('x'));
    await fc.assert(
      fc.asyncProperty(hostileText, async (text) => {
        const page = await make(text);
        expect(names(page)).toEqual(plain);
        const root = parseXml(page);
        for (const name of ['p', 'td', 'dd']) expect(textOf(elements(root, name).at(-1)!).replace(/\s+/g, ' ').trim()).toBe(printable(text));
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('names what is wrong', async () => {
    await expect(htmlReport({ ...content, title: ' ' })).rejects.toThrow("htmlReport: title must be a text, got ' '.");
    await expect(htmlReport({ ...content, lang: '"><script>' })).rejects.toThrow('htmlReport: lang must be a language tag');
    const misspelt = { title: 'a', tabel: 1 };
    await expect(htmlReport({ title: 'a', sections: [misspelt] })).rejects.toThrow("htmlReport: sections[0]: unknown option 'tabel'");
  });
});

describe('markdownReport', () => {
  it('has the texts and tables of the same content', () => {
    expect(markdownReport(content)).toBe(
      [
        '# Robust experts', 'Fashion-MNIST', '## Findings', 'Nothing significant.', 'A second paragraph.',
        '## Accuracy', '| model |\n| :--- |\n| dense |', '## Routing', '## About this run', '- seed: 1\n- command: pnpm start\n',
      ].join('\n\n'),
    );
  });

  it('lets no paragraph start a list, a quote, a heading, a rule or a fence', () => {
    const paragraph = (text: string): string => markdownReport({ title: 'T', sections: [{ title: 'S', text }] }).split('\n\n')[2]!.trimEnd();
    expect(['- a', '+ a', '1. a', '12) a', '# a', '> a', '---', '===', '```', '1.5 a'].map(paragraph)).toEqual([
      '\\- a', '\\+ a', '1\\. a', '12\\) a', '\\# a', '\\> a', '\\---', '\\===', '\\`\\`\\`', '1.5 a',
    ]);
  });
});
