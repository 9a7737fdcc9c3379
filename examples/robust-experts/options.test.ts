import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseNumber } from './config.js';
import { PRESETS } from './presets/single.js';
import { HELP, type RunCommand, type SweepCommand, UsageError, parseCommand } from './options.js';

const folder = mkdtempSync(join(tmpdir(), 'moe-options-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (content: string): string => {
  const path = join(folder, `${content.length}.json`);
  writeFileSync(path, content);
  return path;
};
const parse = (...args: string[]): RunCommand => parseCommand(args) as RunCommand;

describe('parseCommand', () => {
  it('starts from a preset, then the config file, then the flags', () => {
    const config = file('{ "seed": 5, "training": { "epochs": 7, "steps": 2 } }');
    const { config: result, preset } = parse('--config', config, '--epochs', '9', '--eps', '8/255', '--models', 'dense, conv-entropy');
    expect(preset).toBe('quick');
    expect(result.seed).toBe(5);
    expect(result.training).toMatchObject({ ...PRESETS.quick.training, epochs: 9, steps: 2 });
    expect(result.evaluation.eps).toBe(8 / 255);
    expect(result.models).toEqual(['dense', 'conv-entropy']);
  });

  it('knows help and version, and takes the separator that pnpm passes on', () => {
    expect(parseCommand(['--help'])).toBe('help');
    expect(parseCommand(['--', '--version'])).toBe('version');
    expect(HELP).toContain('--train-eps');
  });

  it('names many runs: rows, seeds and grids', () => {
    const names = (...args: string[]) => (parseCommand(args) as SweepCommand).runs.map(({ name }) => name);
    expect(names('--preset', 'headline', '--only', 'dense', '--seeds', '1,2', '--list')).toEqual(['dense-s1', 'dense-s2']);
    expect(names('--preset', 'quick', '--grid', 'experts=2,4', '--grid', 'train-eps=0,8/255', '--shard', '2/2')).toEqual(['quick-experts=2-train-eps=8:255', 'quick-experts=4-train-eps=8:255']);
    const { title, out, runs } = parseCommand(['--preset', 'x3', '--scale', 'cifar-small', '--data', 'x', '--epochs', '2', '--only', 'at-conv5-2nd-entropy-gap-fc']) as SweepCommand;
    expect([title, out]).toEqual(['x3-cifar-small', join('runs', 'x3-cifar-small')]);
    expect(runs[0]).toMatchObject({ published: { clean: 54.91, pgd: 19.96 }, config: { training: { epochs: 2, steps: 3 }, network: { width: 16 } } });
  });

  it.each([
    [['--preset', 'x1', '--only', 'nothing', '--list'], '--only: must be rows of x1 (n-dense,'],
    [['--preset', 'x1', '--scale', 'small'], '--scale: must be one of paper, released, cifar-small, toy, got small.'],
    [['--preset', 'x1', '--shard', '3/2', '--list'], '--shard: must be I/N with 1 ≤ I ≤ N, got 3/2.'],
    [['--preset', 'x1'], 'n-dense: --data (data.folder): must be given: the folder cifar-100-binary.'],
    [['--grid', 'nothing=1,2'], '--grid: must be OPTION=A,B,… with an option of --help, got nothing=1,2.'],
    [['--foo'], "Unknown option '--foo'. --help lists the options."],
    [['--preset', 'x'], '--preset: must be one of quick, cifar10, headline, x1,'],
    [['--depth', '11'], '--depth (network.depth): invalid option: expected one of 10|18|34|50, got 11. --help lists the options.'],
    [['--epochs', 'abc'], '--epochs (training.epochs): invalid input: expected number, received NaN, got NaN.'],
    [['--models', 'dense,foo'], '--models (models.1): invalid option'],
    [['--top-k', '9'], '--top-k (moe.topK): must be at most the number of experts, 4, got 9.'],
    [['--preset', 'cifar10'], '--data (data.folder): must be given with the preset cifar10'],
    [['--config', join('no', 'such.json')], 'cannot be read'],
    [['--config', file('{ broken')], 'is not JSON'],
    [['--config', file('{ "trainig": {} }')], 'configuration: unrecognized key: "trainig". --help lists the options.'],
    [['stray'], "Unexpected argument 'stray'"],
  ])('refuses %j', (args, message) => {
    expect(() => parseCommand(args)).toThrow(UsageError);
    expect(() => parseCommand(args)).toThrow(message);
  });
});

describe('parseNumber', () => {
  it('reads decimals and fractions, and nothing else', () => {
    expect(['0.1', '8/255', '1e-3', ' 2 / 4 ', '-1'].map(parseNumber)).toEqual([0.1, 8 / 255, 1e-3, 0.5, -1]);
    expect(['', 'x', '1/2/3', '8/', '1 2'].map(parseNumber)).toEqual([NaN, NaN, NaN, NaN, NaN]);
  });
});
