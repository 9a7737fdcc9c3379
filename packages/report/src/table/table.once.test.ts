import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostileText, printable } from '../internal/hostile-text-in-tests.js';
import { elements, parseXml, textOf } from '../internal/xml-in-tests.js';
import { count, duration, interval, percent } from './format.js';
import { table } from './table.js';

const rows = [
  { model: 'dense', path: 'dense', clean: 0.825, robust: { value: 0.46, low: 0.392, high: 0.529 }, inputs: 12_000 },
  { model: '専門家', path: 'gated', clean: 0.8, robust: { value: 0.4, low: 0.335, high: 0.469 }, inputs: 9_000 },
  { model: '専門家', path: 'expert 0', clean: 0.705, robust: undefined, inputs: 300 },
];
const results = table({
  caption: 'Accuracy',
  columns: [
    { key: 'model', header: 'Model' },
    { key: 'path', header: 'Path', align: 'center' },
    { key: 'clean', header: 'Clean', format: (value) => percent(value) },
    { key: 'robust', header: 'PGD-20', align: 'right', format: ({ value, low, high }) => `${percent(value)} ${interval(low, high)}` },
    { key: 'inputs', format: count },
  ],
  rows,
  groupBy: 'model',
  highlight: ({ path }) => path === 'gated',
});

describe('table', () => {
  it('aligns text, numbers and wide characters', () => {
    expect(results.toText()).toBe(
      [
        'Accuracy',
        'Model     Path     Clean               PGD-20  inputs',
        '─────────────────────────────────────────────────────',
        'dense    dense    82.5 %  46.0 % [39.2, 52.9]  12,000',
        '─────────────────────────────────────────────────────',
        '専門家   gated    80.0 %  40.0 % [33.5, 46.9]   9,000',
        '専門家  expert 0  70.5 %                    –     300',
      ].join('\n'),
    );
  });

  it('wraps a caption to the width of the table', () => {
    const one = table({ columns: [{ key: 'x', header: 'Accuracy' }], rows: [{ x: 1 }], caption: 'On 200 images with intervals' });
    expect(one.toText()).toBe(['On 200', 'images', 'with', 'intervals', 'Accuracy', '────────', '       1'].join('\n'));
  });

  it('keeps within a width, cutting the widest columns first', () => {
    const lines = results.toText({ width: 40 }).split('\n');
    expect(lines[2]).toHaveLength(40);
    expect(lines[3]).toBe('dense    dense   82.5 %  46.0 %…  12,000');
    expect(results.toText({ width: 1 }).split('\n')[3]).toBe('den…  den…  82.…  46.…  12,…');
  });

  it('paints headings, rules and highlighted rows only when asked', () => {
    // oxlint-disable-next-line no-control-regex
    const escapes = /\u001b\[(\d+)m/g;
    expect(results.toText()).not.toMatch(escapes);
    expect([...results.toText({ color: true }).matchAll(escapes)].map((match) => match[1])).toEqual(['1', '0', '2', '0', '2', '0', '1', '0']);
    expect(results.toText({ color: true }).replace(escapes, '')).toBe(results.toText());
  });

  it('is a GitHub table with highlighted rows in bold', () => {
    expect(results.toMarkdown().split('\n')).toEqual([
      'Accuracy',
      '',
      '| Model | Path | Clean | PGD-20 | inputs |',
      '| :--- | :---: | ---: | ---: | ---: |',
      '| dense | dense | 82.5 % | 46.0 % \\[39.2, 52.9\\] | 12,000 |',
      '| **専門家** | **gated** | **80.0 %** | **40.0 % \\[33.5, 46.9\\]** | **9,000** |',
      '| 専門家 | expert 0 | 70.5 % | – | 300 |',
    ]);
  });

  it('is a LaTeX table with booktabs, groups apart and highlighted rows in bold', () => {
    expect(results.toLatex().split('\n')).toEqual([
      '\\begin{table}',
      '\\centering',
      '\\caption{Accuracy}',
      '\\begin{tabular}{lcrrr}',
      '\\toprule',
      'Model & Path & Clean & PGD-20 & inputs \\\\',
      '\\midrule',
      'dense & dense & 82.5 \\% & 46.0 \\% [39.2, 52.9] & 12,000 \\\\',
      '\\midrule',
      '\\textbf{専門家} & \\textbf{gated} & \\textbf{80.0 \\%} & \\textbf{40.0 \\% [33.5, 46.9]} & \\textbf{9,000} \\\\',
      '専門家 & expert 0 & 70.5 \\% & – & 300 \\\\',
      '\\bottomrule',
      '\\end{tabular}',
      '\\end{table}',
    ]);
  });

  it('escapes what LaTeX would read as a command', () => {
    const latex = (label: string): string => table({ columns: [{ key: 'label' }], rows: [{ label }] }).toLatex().split('\n')[4]!;
    expect(latex('50 % & $x_1$ #2 {a}')).toBe('50 \\% \\& \\$x\\_1\\$ \\#2 \\{a\\} \\\\');
    expect(latex('\\input{x} a~b^c <d> |e|')).toBe('\\textbackslash{}input\\{x\\} a\\textasciitilde{}b\\textasciicircum{}c \\textless{}d\\textgreater{} \\textbar{}e\\textbar{} \\\\');
    // After a line break these two would be its options.
    expect([latex('[1em]'), latex('*')]).toEqual(['{[}1em] \\\\', '{*} \\\\']);
  });

  it('sets single values in bold in every form, and none that is missing', () => {
    const best = table({ columns: [{ key: 'name' }, { key: 'value', bold: (value, { name }) => value > 1 && name !== 'c' }], rows: [{ name: 'a', value: 1 }, { name: 'b', value: 2 }, { name: 'c', value: 3 }, { name: 'd', value: undefined }] });
    expect(best.toMarkdown().split('\n').slice(2)).toEqual(['| a | 1 |', '| b | **2** |', '| c | 3 |', '| d | – |']);
    expect(best.toLatex().split('\n').slice(4, 6)).toEqual(['a & 1 \\\\', 'b & \\textbf{2} \\\\']);
    expect(elements(parseXml(best.toHtml()), 'strong').map(textOf)).toEqual(['2']);
    expect(best.toText({ color: true }).split('\n')[3]).toBe('b     \u001b[1m2    \u001b[0m');
  });

  it('is well-formed HTML with scopes, alignment and classes', () => {
    const root = parseXml(results.toHtml());
    expect(elements(root, 'th').map(textOf)).toEqual(['Model', 'Path', 'Clean', 'PGD-20', 'inputs']);
    expect(elements(root, 'th').every(({ attributes }) => attributes['scope'] === 'col')).toBe(true);
    expect(elements(root, 'tr').map(({ attributes }) => attributes['class'])).toEqual([undefined, undefined, 'highlight group', undefined]);
    expect(elements(root, 'td')[2]!.attributes['style']).toBe('text-align:right');
  });

  it('shows any label literally, in every form', () => {
    fc.assert(
      fc.property(hostileText, (label) => {
        const one = table({ columns: [{ key: 'label', header: label }], rows: [{ label }], caption: label });
        const root = parseXml(one.toHtml());
        expect(elements(root).map(({ name }) => name)).toEqual(['table', 'caption', 'thead', 'tr', 'th', 'tbody', 'tr', 'td']);
        const shown = textOf(elements(root, 'td')[0]!);
        expect(textOf(elements(root, 'th')[0]!)).toBe(shown);
        expect(shown).toBe(printable(label));
        expect(table({ columns: [{ key: 'label', header: label }], rows: [{ label }] }).toText().split('\n')).toHaveLength(3);
        // oxlint-disable-next-line no-control-regex
        expect(one.toText()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
        expect(one.toMarkdown().split('\n')).toHaveLength(5);
        expect(one.toLatex().split('\n')).toHaveLength(11);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('escapes what Markdown would read as markup', () => {
    const markdown = (label: string): string => table({ columns: [{ key: 'label' }], rows: [{ label }] }).toMarkdown().split('\n')[2]!;
    expect(markdown('a|b')).toBe('| a\\|b |');
    expect(markdown('<script>alert(1)</script>')).toBe('| \\<script\\>alert(1)\\</script\\> |');
    expect(markdown('![x](y) `c` *b* _i_ ~s~ $m$ &amp; \\')).toBe('| !\\[x\\](y) \\`c\\` \\*b\\* \\_i\\_ \\~s\\~ \\$m\\$ \\&amp; \\\\ |');
  });

  it('names the cell that is not a number, the option that is unknown and the format that gives no text', () => {
    const columns = [{ key: 'x' }] as const;
    expect(() => table({ columns, rows: [{ x: 1 }, { x: Number.NaN }] })).toThrow('table: rows[1].x must be a number or absent, got NaN. Leave the property out where nothing was measured.');
    expect(() => table({ columns: [], rows: [{ x: 1 }] })).toThrow('table: columns must name at least one column');
    const misspelt = { columns, rows: [{ x: 1 }], sort: true };
    expect(() => table(misspelt)).toThrow("table: unknown option 'sort'");
    expect(() => table({ columns: [{ key: 'x', format: (value) => value as unknown as string }], rows: [{ x: 1 }] })).toThrow("format of column 'x' must return a string, got 1");
    expect(() => table({ columns, rows: [{ x: 1 }] }).toText({ width: 0 })).toThrow('toText: width must be an integer ≥ 1, got 0.');
  });

  it('prints headings where there are no rows', () => {
    expect(table<{ x: number }>({ columns: [{ key: 'x', header: 'Loss' }], rows: [] }).toText()).toBe('Loss\n────');
  });
});

describe('formats', () => {
  it('percent rounds and knows no minus zero', () => {
    expect([percent(0.625), percent(1, 0), percent(-0.0001), percent(0.12345, 2)]).toEqual(['62.5 %', '100 %', '0.0 %', '12.35 %']);
    expect(() => percent(Number.NaN)).toThrow('percent: value must be a finite number, got NaN.');
  });

  it('interval is in percent and in order', () => {
    expect(interval(0.5561, 0.6891)).toBe('[55.6, 68.9]');
    expect(() => interval(0.7, 0.6)).toThrow('interval: low must be at most high = 0.6, got 0.7.');
  });

  it('duration picks the unit after rounding', () => {
    expect([0, 999.4, 999.6, 12_345, 59_949, 59_951, 245_000, 3_599_400, 3_599_600, 7_380_000].map(duration)).toEqual([
      '0 ms', '999 ms', '1.0 s', '12.3 s', '59.9 s', '1 min 00 s', '4 min 05 s', '59 min 59 s', '1 h 00 min', '2 h 03 min',
    ]);
    expect(() => duration(-1)).toThrow('duration: milliseconds must be a finite number ≥ 0, got -1.');
  });

  it('count parts thousands', () => {
    expect([count(0), count(12_000), count(-1_234_567)]).toEqual(['0', '12,000', '-1,234,567']);
    expect(() => count(1.5)).toThrow('count: value must be a whole number, got 1.5.');
  });
});
