import { useBackend } from '@moe/backend';
import { createRng } from '@moe/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../config.js';
import { SCALES } from '../presets/scales.js';
import type { PathRecord, Results } from '../results.js';
import type { ModelName } from '../schema.js';
import { costs } from './cost.js';
import { pca, tsne } from './embed.js';
import { expertCountSeries } from './experts.js';
import { impossibleRows } from './legacy.js';
import type { FinishedRun } from './load.js';
import { cellsOf } from './mosaics.js';
import { classScores, effectiveExperts, livingExperts } from './routing.js';
import { publishedFor, tablesSection } from './tables.js';

describe('costs', () => {
  beforeAll(async () => void (await useBackend('cpu')));

  it('are the multiply-adds of the figure in the paper, in millions', () => {
    const rows = costs();
    const curve = (name: string): number[] => rows.filter((row) => row.curve === name).map(({ macs }) => Math.round(macs / 1e4) / 100);
    expect(curve('k = E')).toEqual([33.52, 41.91, 58.69, 92.24, 159.36, 293.59]);
    expect(curve('k = E/2')).toEqual([33.52, 33.52, 41.91, 58.69, 92.25, 159.37]);
    expect(curve('k = 2')).toEqual([33.52, 41.91, 41.91, 41.91, 41.92, 41.93]);
    expect(curve('k = 1')).toEqual([33.52, 33.52, 33.52, 33.52, 33.53, 33.54]);
  });
});

describe('impossibleRows', () => {
  it('counts published cells in which the stronger attack does worse, and networks at chance', () => {
    const [small, large] = impossibleRows();
    expect(small).toEqual({ name: 'main grid, ResNet-18', rows: 76, stronger: 69, adversarial: 35, chance: 0 });
    expect(large).toEqual({ name: 'main grid, ResNet-50', rows: 63, stronger: 28, adversarial: 30, chance: 24 });
  });
});

describe('experts in use', () => {
  it('is 1 after a collapse and E for even shares', () => {
    expect(effectiveExperts([1, 0, 0])).toBe(1);
    expect(effectiveExperts([0.25, 0.25, 0.25, 0.25])).toBeCloseTo(4);
    expect(livingExperts([0.985, 0.01, 0.005])).toBe(1);
  });
});

describe('classScores', () => {
  it('are precision, recall and F1, and 0 for a class that is never predicted', () => {
    // Class 0: 3 of 4 found, 3 of 5 predictions right; class 1: 2 of 4 found, 2 of 3 predictions right; class 2 never predicted.
    const [first, second, third] = classScores([[3, 1, 0], [2, 2, 0], [0, 0, 0]]);
    expect(first).toEqual({ precision: 0.6, recall: 0.75, f1: (2 * 0.6 * 0.75) / 1.35 });
    expect(second!.precision).toBeCloseTo(2 / 3);
    expect(third).toEqual({ precision: 0, recall: 0, f1: 0 });
  });
});

describe('embeddings', () => {
  it('pca finds the directions of largest variance', () => {
    // Along (3, 4)/5 at ±5 and ±10, across it at ±1.
    const along = [-10, -5, 5, 10];
    const points = along.map((t, i) => [0.6 * t - 0.8 * (i % 2 === 0 ? 1 : -1), 0.8 * t + 0.6 * (i % 2 === 0 ? 1 : -1), 7]);
    const found = pca(points);
    const spread = (axis: 0 | 1): number => found.reduce((sum, point) => sum + point[axis] ** 2, 0);
    expect(spread(0)).toBeGreaterThan(spread(1));
    // Variance is kept: what two components do not hold is not there.
    expect(spread(0) + spread(1)).toBeCloseTo(points.reduce((sum, row) => sum + row[0]! ** 2 + row[1]! ** 2, 0), 6);
    expect(found[3]![0]).toBeGreaterThan(found[0]![0]);
  });

  it('t-SNE keeps clusters apart and gives the same picture each time', () => {
    const rng = createRng(1);
    const points = Array.from({ length: 30 }, (_, i) => Array.from(rng.at(i).normal(4), (value) => value + 12 * (i % 3)));
    const options = { perplexity: 6, iterations: 300 };
    const found = tsne(points, options);
    expect(tsne(points, options)).toEqual(found);
    const nearest = found.map(([x, y], i) => found.map(([u, v], j) => (i === j ? Infinity : (x - u) ** 2 + (y - v) ** 2)));
    expect(nearest.every((row, i) => row.indexOf(Math.min(...row)) % 3 === i % 3)).toBe(true);
  });
});

describe('cellsOf', () => {
  it('gives each cell the chosen image nearest to its centre', () => {
    // A square of 2 × 2 over [0, 4]²: centres at 1 and 3. Image 1 is nearer to (1, 1) than image 0; image 3 is not chosen.
    const points = [[0, 0], [0.8, 1.1], [4, 4], [3, 1], [4, 0.2]] as const;
    expect(cellsOf(points, [true, true, true, false, true], 2)).toEqual(new Map([[0, 1], [3, 2], [1, 4]]));
  });
});

/** A run of one model of the headline with two experts, whose paths get so many of ten images right. */
function fakeRun(row: string, seed: number, model: ModelName, numExperts: number, right: readonly number[]): FinishedRun {
  const parsed = parseConfig('paper', SCALES.toy, { models: [model], moe: { numExperts }, seed });
  if ('problem' in parsed) throw new Error(parsed.problem.message);
  const flags = (count: number): string => '1'.repeat(count) + '0'.repeat(10 - count);
  const paths = right.map((count, i): PathRecord => ({ model, path: i === 0 ? 'gated' : i - 1, images: 10, engine: 'cpu', clean: flags(count + 1), pgd: flags(count), apgd: flags(count), trust: 'ok', findings: [] }));
  const training = [{ model, parameters: 1, macs: 1, moeLayers: model === 'dense' ? [] : ['layer4.1'], lipschitz: [], history: { epochs: [] } }];
  const results = { preset: 'headline-toy', config: parsed.config, paths, training, audits: [], legacy: [], probes: [] } as unknown as Results;
  return { row, seed, model, config: parsed.config, results };
}

const RUNS = [
  fakeRun('dense', 1, 'dense', 4, [4]),
  fakeRun('dense', 2, 'dense', 4, [6]),
  fakeRun('all-block-switch', 1, 'block-switch', 4, [5, 1, 6, 2, 3]),
  fakeRun('all-block-switch-e2', 1, 'block-switch', 2, [4, 7, 1]),
];

describe('tablesSection', () => {
  it('shows means and deviations over seeds beside the paper, bold where the dense model is reached, also as LaTeX', () => {
    expect(publishedFor(RUNS[2]!)).toEqual({ clean: 51.36, pgd: 22.69, apgd: 21.22 });
    expect(publishedFor(RUNS[3]!)).toBeUndefined();
    const { table } = tablesSection(RUNS);
    expect(table!.toMarkdown().split('\n').slice(4)).toEqual([
      '| dense | pgd | – | – | 2 | 60.0 % ± 14.1 | 50.0 % ± 14.1 | 50.0 % ± 14.1 | 52.14 % | 16.87 % |',
      '| all-block-switch | pgd | 4 | 1 | 1 | **60.0 %** | **50.0 %** | **50.0 %** | 51.36 % | **22.69 %** |',
      '| all-block-switch-e2 | pgd | 2 | 1 | 1 | 50.0 % | 40.0 % | 40.0 % | – | – |',
    ]);
    expect(table!.toLatex()).toContain('all-block-switch & pgd & 4 & 1 & 1 & \\textbf{60.0 \\%}');
  });
});

describe('expertCountSeries', () => {
  it('follows rows that differ in the number of experts alone, against the dense model', () => {
    const [found, ...others] = expertCountSeries(RUNS);
    expect(others).toEqual([]);
    expect(Object.fromEntries(found!.series.map(({ name, points }) => [name, points.map(({ x, y }) => [x, Number(y.toFixed(6))])]))).toEqual({
      gated: [[1, 0.4], [2, 0.5]], 'best expert alone': [[1, 0.7], [2, 0.6]], 'mean of the experts alone': [[1, 0.4], [2, 0.3]], 'worst expert alone': [[1, 0.1], [2, 0.1]], dense: [[1, 0.5], [2, 0.5]],
    });
  });
});
