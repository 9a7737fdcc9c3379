import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostileText, printable } from '../internal/hostile-text-in-tests.js';
import { elements, parseXml, textOf } from '../internal/xml-in-tests.js';
import { expertBars } from './expert-bars.js';
import type { Figure } from './figure.js';
import { heatMap } from './heat-map.js';
import { lineChart } from './line-chart.js';
import { shareOverTime } from './share-over-time.js';
import { tradeOffScatter } from './trade-off-scatter.js';

/** One figure of each kind, with one text in every place that takes one. */
const kinds: Readonly<Record<string, (text: string) => Figure>> = {
  tradeOffScatter: (text) => tradeOffScatter({ title: text, subtitle: text, xTitle: text, yTitle: text, points: [{ label: text, group: text, shape: text, clean: 0.8, robust: 0.4, robustInterval: { low: 0.3, high: 0.5 } }] }),
  expertBars: (text) => expertBars({ title: text, subtitle: text, yTitle: text, baseline: { label: text, value: 0.5 }, groups: [{ model: text, path: text, value: 0.4, interval: { low: 0.3, high: 0.5 }, reference: true }, { model: text, path: 'other', value: 0.01 }] }),
  heatMap: (text) => heatMap({ title: text, subtitle: text, rowTitle: text, columnTitle: text, rows: [text, 'other'], columns: [text], values: [[0.25], [0.75]], format: () => text }),
  lineChart: (text) => lineChart({ title: text, subtitle: text, xTitle: text, yTitle: text, series: [{ name: text, points: [{ x: 1, y: 2 }, { x: 2, y: 1 }] }] }),
  shareOverTime: (text) => shareOverTime({ title: text, subtitle: text, xTitle: text, yTitle: text, times: [1, 2], names: [text, 'other'], shares: [[0.5, 0.5], [1, 0]] }),
};

const texts = async (figure: Figure): Promise<string[]> => elements(parseXml(await figure.toSvg()), 'text').map(textOf);

describe.each(Object.entries(kinds))('%s', (_, make) => {
  it('draws a described, well-formed SVG of one fixed look, twice the same', async () => {
    const svg = await make('some text').toSvg();
    const [root] = elements(parseXml(svg));
    expect(root!.attributes).toMatchObject({ role: 'img', xmlns: 'http://www.w3.org/2000/svg', 'aria-label': expect.stringContaining('some text. ') });
    expect(root!.attributes['viewBox']).toBe(`0 0 ${root!.attributes['width']} ${root!.attributes['height']}`);
    expect(svg).not.toMatch(/NaN|undefined|\[object/);
    expect(svg).not.toMatch(/ id="|url\(/); // ids would clash where several figures share a page
    expect(await make('some text').toSvg()).toBe(svg);
  });

  it('keeps its data inside the specification and asks for nothing', () => {
    const spec = JSON.stringify(make('some text').spec);
    expect(spec).toContain('"values":[');
    expect(spec).not.toMatch(/"(url|expr|signal|href|calculate|labelExpr)":/);
  });

  it('shows any text literally, never as markup or as an expression', async () => {
    const plain = elements(parseXml(await make('x').toSvg())).map(({ name }) => name);
    await fc.assert(
      fc.asyncProperty(hostileText.filter((text) => printable(text) !== '' && printable(text) !== 'other'), async (text) => {
        const root = parseXml(await make(text).toSvg());
        const shown = elements(root, 'text').map(textOf);
        expect(shown.some((label) => label === printable(text))).toBe(true);
        expect(new Set(elements(root).map(({ name }) => name))).toEqual(new Set(plain));
        expect(elements(root).flatMap(({ attributes }) => Object.keys(attributes)).filter((name) => name.startsWith('on') || name === 'href')).toEqual([]);
      }),
      { seed: 1, numRuns: 15 },
    );
  }, 60_000);
});

it('stays well-formed where a long label is cut within a surrogate pair', async () => {
  for (const filler of ['', 'x']) {
    const row = filler + '𐀀'.repeat(60);
    const [label] = (await texts(heatMap({ title: 'Cut', rows: [row], columns: ['x'], values: [[1]] }))).filter((text) => text.includes('𐀀'));
    expect(label).toMatch(/^x?𐀀+…$/u);
  }
});

describe('tradeOffScatter', () => {
  it('labels every point, inside and without overlap, even where points coincide', async () => {
    const points = Array.from({ length: 12 }, (_, index) => ({ label: `expert ${index}`, clean: 0.7 + 0.001 * (index % 3), robust: 0.4, group: 'moe', shape: 'expert' }));
    const figure = tradeOffScatter({ points });
    const values = (figure.spec as unknown as { data: { values: { labelX: number; labelY: number }[] } }).data.values;
    // the domain is 0.65 … 0.75 over 660 and 0.35 … 0.45 over 440 pixels; a label takes about 60 × 16
    const boxes = values.map(({ labelX, labelY }) => ({ x: (labelX - 0.65) * 6600, y: (labelY - 0.35) * 4400 }));
    boxes.forEach((box, i) => {
      expect(box.x).toBeGreaterThanOrEqual(0);
      expect(box.x).toBeLessThanOrEqual(600);
      for (const other of boxes.slice(i + 1)) expect(Math.abs(box.x - other.x) >= 56 || Math.abs(box.y - other.y) >= 15).toBe(true);
    });
    expect((await texts(figure)).filter((label) => label.startsWith('expert '))).toHaveLength(12);
  });

  it('names what is wrong', () => {
    const point = { label: 'a', clean: 0.5, robust: 0.5, group: 'g', shape: 's' };
    expect(() => tradeOffScatter({ points: [] })).toThrow('tradeOffScatter: points must be a list of at least one entry');
    expect(() => tradeOffScatter({ points: [{ ...point, robust: Number.NaN }] })).toThrow('tradeOffScatter: points[0].robust must be a finite number in [0, 1], got NaN.');
    expect(() => tradeOffScatter({ points: [point, { ...point, clean: 82.5 }] })).toThrow('points[1].clean must be a finite number in [0, 1], got 82.5.');
    expect(() => tradeOffScatter({ points: [{ ...point, cleanInterval: { low: 0.6, high: 0.4 } }] })).toThrow('points[0].clean interval.high');
    expect(() => tradeOffScatter({ points: [{ ...point, label: ' ' }] })).toThrow("points[0].label must be a text, got ' '.");
  });
});

describe('expertBars', () => {
  const groups = [
    { model: 'A', path: 'gated', value: 0.4, reference: true },
    { model: 'A', path: 'expert 0', value: 0.45, highlighted: true },
    { model: 'B', path: 'expert 0', value: 0.002 },
  ];

  it('shows each value, each model and what the lines mean', async () => {
    const shown = await texts(expertBars({ groups, baseline: { label: 'dense', value: 0.42 } }));
    for (const text of ['A', 'B', '40.0%', '45.0%', '0.2%', 'robust expert', 'Solid line: gated model. Dashed line: dense (42.0%)']) expect(shown).toContain(text);
  });

  it('refuses two paths of one name in a model, and numbers that are no proportions', () => {
    expect(() => expertBars({ groups: [...groups, { model: 'B', path: 'expert 0', value: 0.5 }] })).toThrow("expertBars: paths of B must be distinct, got 'expert 0'.");
    expect(() => expertBars({ groups, baseline: { label: 'dense', value: 42 } })).toThrow('baseline.value must be a finite number in [0, 1], got 42.');
    expect(() => expertBars({ groups: [] })).toThrow('expertBars: groups must be');
  });
});

describe('heatMap', () => {
  it('writes every number into its cell, also where all are equal', async () => {
    const figure = heatMap({ title: 'Routing', rows: ['a', 'b'], columns: ['x', 'y'], values: [[0.1, 0.9], [0.33, 0.67]] });
    expect((await texts(figure)).filter((text) => text.endsWith(' %'))).toEqual(['10 %', '90 %', '33 %', '67 %']);
    expect(await texts(heatMap({ title: 'Zero', rows: ['a'], columns: ['x'], values: [[0]] }))).toContain('0 %');
  });

  it('names what is wrong', () => {
    const base = { title: 'Routing', rows: ['a', 'b'], columns: ['x'] };
    expect(() => heatMap({ ...base, values: [[1]] })).toThrow('heatMap: values must have one list for each of the 2 rows, got 1.');
    expect(() => heatMap({ ...base, values: [[1], [1, 2]] })).toThrow('heatMap: values[1] must have one number for each of the 1 columns, got 2.');
    expect(() => heatMap({ ...base, values: [[1], [Infinity]] })).toThrow('heatMap: values[1][0] must be a finite number, got Infinity.');
    expect(() => heatMap({ ...base, rows: ['a', 'a'], values: [[1], [1]] })).toThrow("heatMap: rows must be distinct, got 'a'.");
  });
});

describe('lineChart', () => {
  it('marks whole epochs only', async () => {
    const figure = lineChart({ xTitle: 'epoch', yTitle: 'loss', series: [{ name: 'dense', points: [{ x: 1, y: 2 }, { x: 2, y: 1 }] }] });
    expect((await texts(figure)).slice(0, 2)).toEqual(['1', '2']);
  });

  it('names what is wrong', () => {
    const base = { xTitle: 'epoch', yTitle: 'loss' };
    expect(() => lineChart({ ...base, series: [] })).toThrow('lineChart: series must be a list of at least one entry');
    expect(() => lineChart({ ...base, series: [{ name: 'a', points: [] }] })).toThrow('lineChart: series[0].points must be a list of at least one entry');
    expect(() => lineChart({ ...base, series: [{ name: 'a', points: [{ x: 1, y: Number.NaN }] }] })).toThrow('lineChart: series[0].points[0].y must be a finite number, got NaN.');
  });
});

describe('shareOverTime', () => {
  it('names what is wrong', () => {
    const base = { times: [1, 2], names: ['a', 'b'] };
    expect(() => shareOverTime({ ...base, shares: [[0.5, 0.5]] })).toThrow('shareOverTime: shares must have one list for each of the 2 times, got 1.');
    expect(() => shareOverTime({ ...base, shares: [[0.5, 0.5], [0.5, 0.4]] })).toThrow('shareOverTime: shares[1] must sum to 1, got 0.9. Divide counts by their sum.');
    expect(() => shareOverTime({ ...base, shares: [[0.5, 0.5], [1.5, -0.5]] })).toThrow('shares[1][0]');
  });

  it('takes more experts than the palette has colours', async () => {
    const names = Array.from({ length: 16 }, (_, index) => `expert ${index}`);
    const fills = elements(parseXml(await shareOverTime({ times: [1], names, shares: [names.map(() => 1 / 16)] }).toSvg()), 'path').map(({ attributes }) => attributes['fill']);
    expect(new Set(fills.filter((fill) => fill !== undefined && fill !== 'none')).size).toBeGreaterThanOrEqual(16);
  });
});
