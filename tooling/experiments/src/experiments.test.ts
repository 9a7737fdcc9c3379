import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readJson, writeJson } from './json.js';
import { bestAgainst, overSeeds, paired } from './paired.js';
import { formatSeconds } from './progress.js';
import { provenance } from './provenance.js';
import { shardOf } from './shard.js';

describe('paired', () => {
  it('tests the images on which two paths differ, over all pairs', () => {
    // 3 images only the first gets right, 1 only the second: exact two-sided p = 2 (C(4,0) + C(4,1)) / 2⁴.
    const { difference, p, interval } = paired([['1110', '1001'], ['11', '00']]);
    expect(difference).toBeCloseTo(3 / 6);
    expect(p).toBeCloseTo(0.375);
    // Half an image more in each of four cells: (4.5 − 1.5)/8 ± 1.96 √(6 − 9/8)/8.
    expect(interval.low).toBeCloseTo(0.375 - (1.96 * Math.sqrt(4.875)) / 8, 4);
    expect(interval.high).toBeCloseTo(0.375 + (1.96 * Math.sqrt(4.875)) / 8, 4);
    expect(paired([['101', '101']])).toMatchObject({ difference: 0, p: 1 });
  });
});

describe('overSeeds', () => {
  it('is the t interval of the mean, and nothing for one seed', () => {
    // Mean 2, deviation 1, 3 seeds: 2 ± 4.3027/√3, in hundredths.
    const { low, high } = overSeeds([0.01, 0.02, 0.03])!;
    expect([low, high]).toEqual([expect.closeTo(0.02 - 0.043027 / Math.sqrt(3), 6), expect.closeTo(0.02 + 0.043027 / Math.sqrt(3), 6)]);
    expect(overSeeds([0.1])).toBeUndefined();
  });
});

describe('bestAgainst', () => {
  it('picks on one half and compares on the other', () => {
    // On even places the first expert is better, on odd ones the second: each is compared where it was not picked.
    expect(bestAgainst(['1010', '0101'], '1001')).toEqual([['00', '01'], ['00', '10']]);
  });
});

it('deals all runs out, each once, and refuses what is no part', () => {
  const runs = [0, 1, 2, 3, 4];
  expect([1, 2].map((i) => shardOf(runs, `${i}/2`))).toEqual([[0, 2, 4], [1, 3]]);
  expect(['0/2', '3/2', 'x', '1'].map((text) => shardOf(runs, text))).toEqual([undefined, undefined, undefined, undefined]);
});

it('reads what it wrote, and nothing where nothing is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moe-experiments-'));
  try {
    await writeJson(join(folder, 'a', 'b.json'), { x: [1, null] });
    expect(await readJson(join(folder, 'a', 'b.json'))).toEqual({ x: [1, null] });
    expect(await readJson(join(folder, 'c.json'))).toBeUndefined();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('says versions and times', () => {
  expect(provenance(join(import.meta.dirname, '..'))).toMatchObject({ moe: '0.0.0', tfjs: expect.stringMatching(/^\d+\./), node: process.version });
  expect([59.4, 75, 3700].map(formatSeconds)).toEqual(['59 s', '1 min 15 s', '1 h 1 min']);
});
