// Every row of every experiment: it can be built, and has the parameters and multiply-adds that the authors' code has.
import { useBackend } from '@moe/backend';
import { countMacs, countParameters, resnetSpec } from '@moe/layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { networkOptions } from '../network.js';
import { expandRuns } from '../runs.js';
import type { Config } from '../schema.js';
import { EXPERIMENTS, type ExperimentName } from './index.js';
import { SCALES, type ScaleName } from './scales.js';

beforeAll(async () => void (await useBackend('cpu')));

const names = Object.keys(EXPERIMENTS) as ExperimentName[];

function runsOf(experiment: ExperimentName, scale: ScaleName = 'paper', overrides: Parameters<typeof expandRuns>[0]['overrides'] = [], seeds: readonly number[] | null = null) {
  const runs = expandRuns({ base: 'paper', rows: EXPERIMENTS[experiment].rows, scale: SCALES[scale], overrides: [{ data: { folder: 'x' } }, ...overrides], axes: [], seeds });
  if ('problem' in runs) throw new Error(`${runs.run}: ${runs.problem.message}`);
  return runs;
}

const specOf = (config: Config, inputShape: readonly [number, number, number] = [32, 32, 3]) => resnetSpec(networkOptions(config.models[0]!, config, { classes: 100, inputShape }));

describe('the experiments', () => {
  it.each(names)('%s: every row has a name of its own and builds at every scale', (name) => {
    for (const scale of Object.keys(SCALES) as ScaleName[]) {
      const runs = runsOf(name, scale);
      expect(new Set(runs.map((run) => run.name)).size).toBe(EXPERIMENTS[name].rows.length);
      for (const { config } of runs) expect(countParameters(specOf(config))).toBeGreaterThan(0);
    }
  });

  it('have as many rows as the grids of the paper, beside its numbers where there are some', () => {
    expect(Object.fromEntries(names.map((name) => [name, [EXPERIMENTS[name].rows.length, EXPERIMENTS[name].rows.filter(({ published }) => published).length]]))).toEqual({
      headline: [11, 9], x1: [98, 76], x2: [66, 63], x3: [50, 50], x4: [42, 42], x5: [42, 0], x6: [21, 0], x7: [20, 0], x8: [15, 0], x10: [63, 0], methods: [20, 0],
    });
  });

  it('give the scale its sizes, and the command line the last word', () => {
    const [dense] = runsOf('headline', 'cifar-small', [{ training: { epochs: 2 } }], [5]);
    expect(dense!.name).toBe('dense-s5');
    expect(dense!.config).toMatchObject({ seed: 5, network: { depth: 18, width: 16 }, training: { epochs: 2, steps: 3, eps: 8 / 255 } });
  });

  it('take grids of any option', () => {
    const axes = [{ flag: 'experts', values: [['2', { moe: { numExperts: 2 } }], ['3', { moe: { numExperts: 3 } }]] as const }, { flag: 'seed', values: [['7', { seed: 7 }]] as const }];
    const runs = expandRuns({ base: 'quick', rows: [{ name: 'quick', config: {} }], scale: {}, overrides: [], axes, seeds: null });
    if ('problem' in runs) throw new Error(runs.problem.message);
    expect(runs.map(({ name, config }) => [name, config.moe.numExperts, config.seed])).toEqual([['quick-experts=2-seed=7', 2, 7], ['quick-experts=3-seed=7', 3, 7]]);
  });
});

describe('networks of the paper', () => {
  const row = (experiment: ExperimentName, name: string) => runsOf(experiment).find((run) => run.name === name)!.config;

  it.each<[ExperimentName, string, number, number?]>([
    ['x1', 'at-dense', 11_220_132, 555_468_800],
    ['x2', 'at-dense', 23_705_252, 1_298_014_208],
    ['x1', 'at-block-switch-gap-fc-k1', 36_404_396, 555_471_872],
    ['x1', 'at-block-switch-gap-fc-k4', 36_404_396, 958_125_056],
    ['x1', 'at-block-switch-conv-gap-k2', 36_428_964, 690_092_032],
    ['x1', 'at-conv-switch-gap-fc-k1', 36_394_168, 555_476_992],
    ['x1', 'at-conv-switch-conv-gap-k3', 36_459_684, 824_788_992],
    ['x3', 'at-conv5-2nd-entropy-gap-fc', 25_384_104],
    ['x3', 'at-conv5-2nd-entropy-conv-gap', 25_400_484],
    ['x4', 'at-1st-entropy-gap-fc', 14_760_104],
    ['x4', 'at-2nd-entropy-conv-gap', 18_316_452],
    ['x4', 'at-4th-switch-gap-fc', 18_300_072],
    ['x2', 'n-block-entropy-gap-fc-k1', 68_619_952, 1_298_034_688],
    ['x2', 'n-conv-entropy-conv-gap-k1', 68_863_652],
    ['x5', 'at-switch-gap-fc-e2', 19_615_400],
    ['x5', 'at-switch-gap-fc-e8', 69_982_388],
    ['x5', 'at-switch-gap-fc-e32', 271_450_340],
  ])('%s %s', (experiment, name, parameters, macs) => {
    const spec = specOf(row(experiment, name));
    expect(countParameters(spec)).toBe(parameters);
    if (macs !== undefined) expect(countMacs(spec)).toBe(macs);
  });

  it('is Wide-ResNet-50-2 with --depth 50 --widen 2', () => {
    const dense = row('x2', 'at-dense');
    expect(countParameters(specOf({ ...dense, network: { ...dense.network, widen: 2 } }))).toBe(67_031_460);
  });
});
