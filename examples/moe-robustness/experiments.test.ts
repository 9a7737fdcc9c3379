// The experiments, tiny: complete, the same after an interruption, and honest about what they count.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useBackend } from '@moe/backend';
import { readJson } from '@moe/experiments';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accuracyTable, against, answerSections } from './answers.js';
import { buildModel } from './model.js';
import { completeRun, publish } from './one-run.js';
import { ROWS, type Run, SCALES, runsOf } from './protocol.js';
import type { Results } from './records.js';

const root = mkdtempSync(join(tmpdir(), 'moe-robustness-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeAll(async () => {
  await useBackend('wasm');
});

const runOf = (row: string, seed = 1): Run => runsOf({ scale: 'tiny', only: [row], seeds: [seed] })[0]!;
const complete = (run: Run, out: string, signal = new AbortController().signal, onProgress: (fraction: number, text: string) => void = () => undefined): Promise<Results> => completeRun(run, { out, signal, onProgress });

describe('protocol', () => {
  it('names runs, and refuses rows that it does not have', () => {
    expect(runsOf({ scale: 'tiny', only: ['dense', 'e8-k1'], seeds: [1, 2] }).map(({ name }) => name)).toEqual(['dense-s1', 'e8-k1-s1', 'dense-s2', 'e8-k1-s2']);
    expect(() => runsOf({ scale: 'tiny', only: ['e3'], seeds: [1] })).toThrow('--only: must be rows (dense, e8-k1, ');
  });

  it('compares networks of equal multiply-adds, up to the gates', () => {
    const cost = (name: string): number => {
      const { network, macs } = buildModel({ ...SCALES['fashion-small'], row: ROWS.find((row) => row.name === name)!, seed: 1 });
      network.dispose();
      return macs;
    };
    // Two gates of 17 tokens, 64 features and 8 experts.
    const gates = 2 * 17 * 64 * 8;
    expect(cost('e8-k1') - cost('dense')).toBe(gates);
    expect(cost('e8-k2') - cost('dense-wide')).toBe(gates);
    expect(gates / cost('dense')).toBeLessThan(0.01);
  });
});

describe('a run', () => {
  it('leaves everything, and is not done again', async () => {
    const out = join(root, 'whole');
    const results = await complete(runOf('e8-k1'), out);
    expect(results.training.parameters).toBeGreaterThan(0);
    expect(results.released).toHaveLength(1);
    const [{ clean, attacked, predictionChanges, routing }] = results.released as [Results['released'][number]];
    expect([clean, attacked].map((flags) => flags.length)).toEqual([10, 10]);
    expect(predictionChanges).toBeGreaterThanOrEqual(Array.from(clean).filter((flag, i) => flag !== attacked[i]).length);
    expect(routing.map(({ layer }) => layer)).toEqual(['block1.mlp']);
    expect(routing[0]!.random).toBeCloseTo(7 / 8, 12);
    expect(Object.keys(results.routing!.robust)).toHaveLength(7);
    expect(results.redundancy!.clean.random).toHaveLength(5);
    expect(results.slopes.map(({ layer }) => layer)).toEqual(['block1.mlp']);
    expect(await complete(runOf('e8-k1'), out)).toEqual(results);
    await publish(join(out, 'e8-k1-s1'), join(root, 'published', 'e8-k1-s1'));
    expect(await readJson(join(root, 'published', 'e8-k1-s1', 'results.json'))).toEqual(results);
    await expect(complete({ ...runOf('e8-k1'), config: { ...runOf('e8-k1').config, data: { trainImages: 50, testImages: 10 } } }, out)).rejects.toThrow('holds e8-k1-s1 with other settings');
  });

  it('ends with the same numbers after an interruption', async () => {
    const abort = new AbortController();
    const out = join(root, 'interrupted');
    await expect(complete(runOf('e8-k1'), out, abort.signal, (_, text) => (text.startsWith('attack') ? abort.abort() : undefined))).rejects.toThrow();
    expect(existsSync(join(out, 'e8-k1-s1', 'results.json'))).toBe(false);
    const { provenance: _, ...results } = await complete(runOf('e8-k1'), out);
    const { provenance: __, ...uninterrupted } = (await readJson<Results>(join(root, 'whole', 'e8-k1-s1', 'results.json')))!;
    expect(results).toEqual(uninterrupted);
  });

  it('fine-tunes the weights of another run, which it trains if it must', async () => {
    const out = join(root, 'tuned');
    const { routing } = await complete(runOf('dense-tuned'), out);
    expect(routing).toBeNull();
    expect(existsSync(join(out, 'dense-s1', 'weights.moe'))).toBe(true);
  });
});

describe('answers', () => {
  /** A finished run that gets so many images of ten right, clean and attacked. */
  const result = (row: string, seed: number, clean: number, attacked: number): Results => {
    const flags = (right: number): string => '1'.repeat(right) + '0'.repeat(10 - right);
    const record = { eps: 2 / 255, images: 10, clean: flags(clean), attacked: flags(attacked), predictionChanges: clean - attacked, lossBefore: 1, lossAfter: 2, routing: [] };
    return { ...runOf(row, seed), provenance: { moe: '', tfjs: '', node: '', commit: null, engine: 'cpu', cpuSeconds: {} }, training: { parameters: 1000, macs: 1_000_000 }, released: [record], standard: [], routing: null, redundancy: null, slopes: [] };
  };
  const runs = [1, 2].flatMap((seed) => [result('dense', seed, 9, 2), result('e8-k1', seed, 9, 8)]);

  it('test rows on paired images, and say where nothing can be said', () => {
    const [clean, attacked] = against(runs, 'e8-k1', 'dense');
    expect(clean).toContain('e8-k1 does not differ significantly from dense: +0.0 points');
    expect(attacked).toBe('released PGD 2/255: e8-k1 is more accurate than dense: +60.0 points (2 seeds: +60.0 points, +60.0 points; paired exact test over all images, p < 0.001).');
    expect(against(runs, 'e8-k2', 'dense-wide')).toEqual(['e8-k2 and dense-wide have no seed in common yet.']);
  });

  it('tabulate and draw', () => {
    expect(accuracyTable(runs).toText()).toMatch(/dense +1, 2 +1\.00 M +1 k +90\.0 % \[69\.9, 97\.2\] +20\.0 %/);
    expect(answerSections(runs).map(({ title }) => title)).toContain('Do attacks change routing?');
  });
});
