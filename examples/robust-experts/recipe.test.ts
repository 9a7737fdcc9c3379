import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ObservedRouting } from '@moe/adv-train';
import { useBackend } from '@moe/backend';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from './config.js';
import { telemetrySeries } from './figures/telemetry.js';
import { files } from './jobs.js';
import { merge } from './merge.js';
import { objectiveOf } from './objective.js';
import { EXPERIMENTS, type ExperimentName } from './presets/index.js';
import { SCALES, type ScaleName } from './presets/scales.js';
import { averagingOf, epochsOf, scheduleOf } from './recipe.js';
import type { TrainingRecord } from './results.js';
import { readJson } from '@moe/experiments';
import { expandRuns } from './runs.js';
import type { Config, DeepPartial } from './schema.js';
import { trainModel } from './train-model.js';

function runsOf(experiment: ExperimentName, scale: ScaleName = 'paper', ...overrides: DeepPartial<Config>[]) {
  const runs = expandRuns({ base: 'paper', rows: EXPERIMENTS[experiment].rows, scale: SCALES[scale], overrides: [{ data: { folder: scale === 'toy' ? null : 'x' } }, ...overrides], axes: [], seeds: null });
  if ('problem' in runs) throw new Error(runs.problem.message);
  return runs;
}

const configOf = (experiment: ExperimentName, name: string, scale: ScaleName = 'paper') => runsOf(experiment, scale).find((run) => run.name === name)!.config;
const eps = 8 / 255;

describe('the recipe of a training', () => {
  it.each<[ExperimentName, string, string, object]>([
    ['x8', 'pgd-7-dense', 'pgd-adversarial', { attack: { name: 'pgd', options: { eps, steps: 7, stepSize: 2 / 255, goal: 'maxLoss' } }, batchNorm: 'running', labelSmoothing: 0 }],
    ['x8', 'fast-dense', 'fast-adversarial', { eps, stepSize: 1.25 * eps, legacy: false }],
    ['x8', 'fast-released-dense', 'fast-adversarial', { eps, stepSize: eps, legacy: true }],
    ['x8', 'free-block-switch', 'free-adversarial', { eps, replays: 4, legacy: false }],
    ['x8', 'free-released-block-switch', 'free-adversarial', { eps, replays: 4, legacy: true }],
    ['methods', 'dense-trades', 'trades', { attack: { options: { eps, steps: 7, loss: 'kl', start: 'normal' } }, beta: 6, legacy: false }],
    ['methods', 'dense-mart', 'mart', { attack: { options: { eps, loss: 'ce', start: 'normal' } }, lambda: 5 }],
    ['methods', 'dense-awp', 'pgd-adversarial+awp', { gamma: 0.01 }],
    ['methods', 'dense-smooth', 'pgd-adversarial', { labelSmoothing: 0.1 }],
    ['methods', '2nd-block-entropy-rt-er', 'rt-er', { variant: 'fixed', beta: 6 }],
    ['methods', '2nd-block-entropy-adv-moe-released', 'adv-moe', { variant: 'released' }],
    ['methods', '2nd-block-entropy-v-moe', 'v-moe-fine-tuning', { eps, variant: 'fixed', steps: 7 }],
    ['methods', '2nd-block-entropy-router-kl', 'pgd-adversarial+router-kl', { objective: { name: 'pgd-adversarial' } }],
    ['methods', '2nd-block-none-prc', 'pgd-adversarial+prc', {}],
  ])('%s %s is %s', (experiment, row, name, options) => {
    const config = configOf(experiment, row);
    expect(objectiveOf(config.models[0]!, config)).toMatchObject({ name, options });
  });

  it('has the released variant of every method at the released scale', () => {
    const config = configOf('x8', 'fast-dense', 'released');
    expect(objectiveOf('dense', config)).toMatchObject({ options: { legacy: true, batchNorm: 'batch-updating' } });
  });

  it('moves the weights as often with every method, but not with the released form of free training, and ends at the rate at which it is to end', () => {
    expect(['pgd-7', 'fast', 'free', 'free-released'].map((method) => epochsOf(configOf('x8', `${method}-dense`)))).toEqual([200, 200, 50, 200]);
    const free = configOf('x8', 'free-dense');
    expect(scheduleOf(free).rate(epochsOf(free), epochsOf(free))).toBeCloseTo(0, 6);
  });

  it('averages weights where it is asked to', () => {
    expect(['dense-ema', 'dense-pgd'].map((row) => averagingOf(configOf('methods', row)))).toEqual([{ ema: { decay: 0.995, copyFor: 0.025, ramp: true } }, {}]);
  });

  it.each<[DeepPartial<Config>, string]>([
    [{ models: ['dense'], training: { method: 'rt-er' } }, 'must not be rt-er for the model dense'],
    [{ models: ['dense'], training: { terms: ['router-kl'] } }, 'must be none for the model dense'],
    [{ training: { terms: ['prc', 'prc'] } }, 'must name each term once, got prc, prc'],
    [{ training: { method: 'rt-er', terms: ['expert-consistency'] } }, 'with method rt-er, which has it'],
    [{ training: { method: 'v-moe', variant: 'paper' } }, 'must be fixed or released with method v-moe'],
    [{ training: { method: 'free', awp: 0.01 } }, 'must be none with method free'],
    [{ training: { method: 'mart', labelSmoothing: 0.1 } }, 'must be 0 with method mart, got 0.1'],
    [{ training: { method: 'trades', eps: 0 } }, 'must be pgd at eps 0'],
  ])('refuses %j', (change, message) => {
    expect(parseConfig('paper', SCALES.toy, { models: ['block-switch'] }, change)).toMatchObject({ problem: { message: expect.stringContaining(message) as string } });
  });
});

describe('training by every method', () => {
  const root = mkdtempSync(join(tmpdir(), 'moe-methods-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  beforeAll(async () => void (await useBackend('wasm')));

  const small: DeepPartial<Config> = { network: { depth: 10, width: 2 }, moe: { at: 'layer4.0', numExperts: 2 }, data: { trainImages: 8 }, training: { batchSize: 8, schedule: 'constant' }, backend: 'wasm' };

  const train = async (row: string, config: Config) => {
    const [model] = config.models;
    const folder = join(root, row);
    await trainModel(model!, { config, folder, signal: new AbortController().signal, onProgress: () => undefined, log: () => undefined });
    const { history } = (await readJson<TrainingRecord>(files.training(folder, model!)))!;
    return { history, terms: history.epochs[0]!.terms, weights: readFileSync(files.weights(folder, model!)), files: readdirSync(files.board(folder, model!)).sort() };
  };

  it('takes its steps with the terms of its loss', async () => {
    const methods = ['trades', 'mart', 'rt-er', 'adv-moe', 'adv-moe-released', 'v-moe'];
    const terms: Record<string, string> = {};
    for (const method of methods) {
      const { config } = runsOf('methods', 'toy', small).find(({ name }) => name === `2nd-block-entropy-${method}`)!;
      const trained = await train(method, config);
      expect(Object.values(trained.terms).every(Number.isFinite), method).toBe(true);
      terms[method] = Object.keys(trained.terms).join(' ');
    }
    expect(terms).toEqual({
      trades: 'ce kl aux', mart: 'bce kl aux', 'rt-er': 'ce aux expert-consistency', 'v-moe': 'ce aux',
      'adv-moe': 'ce kl aux router-ce router-kl gate-kl router-aux', 'adv-moe-released': 'ce kl aux router-label gate-kl router-aux',
    });
  });

  it('adds terms, and looks at routing under attack after every epoch where it is asked to, and writes for TensorBoard', async () => {
    const { config } = runsOf('methods', 'toy', small).find(({ name }) => name === '2nd-block-entropy-pgd')!;
    const changed = merge(config, { training: { telemetry: 2, epochs: 2, awp: 0.01, terms: ['expert-consistency', 'router-kl', 'router-margin', 'prc'] } });
    const { history, terms, files: board } = await train('telemetry', changed);
    const series = telemetrySeries(history.epochs.map(({ epoch, observed }) => ({ epoch, seen: observed['routing'] as unknown as ObservedRouting })), 'layer4.0');
    expect(series.map(({ name, points }) => [name, points.map(({ x }) => x)])).toEqual(['RA', 'RA-R', 'RA-E, expert 0', 'RA-E, expert 1', 'routes flipped', 'load entropy'].map((name) => [name, [1, 2]]));
    expect(series.every(({ points }) => points.every(({ y }) => y >= 0 && y <= 1))).toBe(true);
    expect(Object.keys(terms)).toEqual(['ce', 'aux', 'expert-consistency', 'router-kl', 'router-margin', 'prc']);
    expect(board).toEqual(['epoch', 'step']);
  });

  it('leaves averaged weights, which are others', async () => {
    const config = (row: string) => runsOf('methods', 'toy', small, { training: { epochs: 2 } }).find(({ name }) => name === row)!.config;
    const [plain, averaged] = [await train('plain', config('dense-pgd')), await train('averaged', config('dense-ema'))];
    expect(averaged.weights.equals(plain.weights)).toBe(false);
    expect(averaged.weights.length).toBe(plain.weights.length);
  });
});
