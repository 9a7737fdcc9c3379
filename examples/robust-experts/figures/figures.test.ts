import { useBackend } from '@moe/backend';
import { createRng } from '@moe/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { paired } from './answers.js';
import { costs } from './cost.js';
import { pca, tsne } from './embed.js';
import { impossibleRows } from './legacy.js';
import { classScores, effectiveExperts, livingExperts } from './routing.js';

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

describe('paired', () => {
  it('tests the images on which two paths differ, over all pairs', () => {
    // 3 images only the first gets right, 1 only the second: exact two-sided p = 2 (C(4,0) + C(4,1)) / 2⁴.
    const { difference, p } = paired([['1110', '1001'], ['11', '00']]);
    expect(difference).toBeCloseTo(3 / 6);
    expect(p).toBeCloseTo(0.375);
    expect(paired([['101', '101']])).toEqual({ difference: 0, p: 1 });
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
