import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { shardOf } from '@moe/experiments';
import { type Problem, parseConfig } from './config.js';
import { FLAGS } from './flags.js';
import { EXPERIMENTS, type ExperimentName } from './presets/index.js';
import { SCALES, type ScaleName } from './presets/scales.js';
import { type GridAxis, type Run, expandRuns } from './runs.js';
import type { Config, DeepPartial } from './schema.js';

/** Wrong use of the command line or a config file; exit code 2. */
export class UsageError extends Error {}

const SINGLE = ['quick', 'cifar10'] as const;

export const HELP = `Robust experts: adversarially train a dense and Mixture-of-Experts ResNets, attack every path, compare.

Usage: pnpm start [options]

  --preset NAME            ${SINGLE.join(' or ')}: one run (default quick); or an experiment of many, see below
  --config FILE            JSON with any part of the configuration; flags override it
  --out DIR                run folder (default runs/PRESET-HASH, the same for the same configuration; of an experiment runs/PRESET-SCALE)
${FLAGS.map(({ flag, value, help }) => `  ${`--${flag} ${value}`.padEnd(25)}${help}`).join('\n')}
  --help, --version

Experiments, for --preset:
${Object.entries(EXPERIMENTS).map(([name, { about, rows }]) => `  ${name.padEnd(25)}${about} (${rows.length} models)`).join('\n')}

  --scale NAME             ${Object.keys(SCALES).join(', ')} (default paper)
  --only A,B,…             only these rows
  --seeds A,B,…            each row once for each seed
  --grid FLAG=A,B,…        each row once for each value of an option above; may be given several times, also with the presets of one run
  --shard I/N              the I-th of N parts, for several processes or machines on one folder
  --publish DIR            copies config.json, metrics.jsonl and results.json of every finished run there
  --list                   prints the names of the runs

Interrupt with Ctrl-C; the same command continues where it stopped.`;

/** One run with its report. */
export interface RunCommand {
  readonly kind: 'run';
  readonly config: Config;
  readonly preset: string;
  readonly out: string | undefined;
}

/** Many runs, one after the other. */
export interface SweepCommand {
  readonly kind: 'sweep';
  readonly title: string;
  readonly runs: readonly Run[];
  readonly out: string;
  readonly publish: string | undefined;
  readonly list: boolean;
}

export type Command = RunCommand | SweepCommand;

function setPath(target: Record<string, unknown>, [key, ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) target[key!] = value;
  else setPath((target[key!] ??= {}) as Record<string, unknown>, rest, value);
}

function readConfigFile(path: string): DeepPartial<Config> {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--config: ${path} cannot be read: ${(error as Error).message}`);
  }
  try {
    return JSON.parse(content) as DeepPartial<Config>;
  } catch (error) {
    throw new UsageError(`--config: ${path} is not JSON: ${(error as Error).message}`);
  }
}

const isSingle = (name: string): name is (typeof SINGLE)[number] => (SINGLE as readonly string[]).includes(name);
const isExperiment = (name: string): name is ExperimentName => Object.hasOwn(EXPERIMENTS, name);
const isScale = (name: string): name is ScaleName => Object.hasOwn(SCALES, name);

/** Names a wrong value by its flag, where it has one. */
function describe({ path, message }: Problem): string {
  const flag = FLAGS.find((candidate) => candidate.path.every((key, i) => key === path[i]));
  const place = path.length === 0 ? 'configuration' : path.map(String).join('.');
  return `${flag ? `--${flag.flag} (${place})` : place}: ${message}. --help lists the options.`;
}

const TEXT_OPTIONS = ['preset', 'config', 'out', 'scale', 'only', 'seeds', 'shard', 'publish'] as const;

interface Arguments {
  readonly values: Readonly<Record<string, string | boolean | string[] | undefined>>;
  readonly text: (name: (typeof TEXT_OPTIONS)[number]) => string | undefined;
}

function readArguments(args: readonly string[]): Arguments {
  const known = Object.fromEntries([...FLAGS.map(({ flag }) => flag), ...TEXT_OPTIONS].map((flag) => [flag, { type: 'string' as const }]));
  try {
    // pnpm passes the separator of `pnpm start -- --flag` on.
    const given = args[0] === '--' ? args.slice(1) : [...args];
    const grid = { type: 'string' as const, multiple: true };
    const { values }: { values: Arguments['values'] } = parseArgs({ args: given, options: { ...known, grid, list: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } } });
    return { values, text: (name) => (values[name] === undefined ? undefined : String(values[name])) };
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. To specify')[0]}. --help lists the options.`);
  }
}

/** `experts=2,4,8` as an axis of a grid. */
function gridAxis(text: string): GridAxis {
  const [name = '', list] = text.split('=');
  const flag = FLAGS.find((candidate) => candidate.flag === name);
  if (flag === undefined || list === undefined) throw new UsageError(`--grid: must be OPTION=A,B,… with an option of --help, got ${text}.`);
  const values = list.split(',').map((label) => {
    const config: Record<string, unknown> = {};
    setPath(config, flag.path, flag.parse(label));
    return [label.replaceAll('/', ':'), config as DeepPartial<Config>] as const;
  });
  return { flag: name, values };
}

function sweepCommand(preset: (typeof SINGLE)[number] | ExperimentName, overrides: readonly DeepPartial<Config>[], { values, text }: Arguments): SweepCommand {
  const scale = text('scale') ?? 'paper';
  if (!isScale(scale)) throw new UsageError(`--scale: must be one of ${Object.keys(SCALES).join(', ')}, got ${scale}.`);
  const rows = isExperiment(preset) ? EXPERIMENTS[preset].rows : [{ name: preset, config: {} }];
  const wanted = text('only')?.split(',');
  const missing = wanted?.find((name) => !rows.some((row) => row.name === name));
  if (missing !== undefined) throw new UsageError(`--only: must be rows of ${preset} (${rows.map(({ name }) => name).join(', ')}), got ${missing}.`);
  const seeds = text('seeds')?.split(',').map(Number) ?? null;
  const runs = expandRuns({
    base: isExperiment(preset) ? 'paper' : preset,
    rows: wanted === undefined ? rows : rows.filter(({ name }) => wanted.includes(name)),
    scale: SCALES[scale],
    // Names need no data.
    overrides: values['list'] === true ? [{ data: { folder: '' } }, ...overrides] : overrides,
    axes: ((values['grid'] ?? []) as string[]).map(gridAxis),
    seeds,
  });
  if ('problem' in runs) throw new UsageError(`${runs.run}: ${describe(runs.problem)}`);
  const shard = text('shard') ?? '1/1';
  const part = shardOf(runs, shard);
  if (part === undefined) throw new UsageError(`--shard: must be I/N with 1 ≤ I ≤ N, got ${shard}.`);
  const title = scale === 'paper' ? preset : `${preset}-${scale}`;
  return { kind: 'sweep', title, runs: part, out: text('out') ?? join('runs', title), publish: text('publish'), list: values['list'] === true };
}

/**
 * Turns arguments into complete configurations: preset, then scale, config file, flags, and grid.
 *
 * @throws {@link UsageError} for an unknown flag, preset or key, or a value that breaks its rule.
 */
export function parseCommand(args: readonly string[]): Command | 'help' | 'version' {
  const given = readArguments(args);
  const { values, text } = given;
  if (values['help'] === true) return 'help';
  if (values['version'] === true) return 'version';

  const file = text('config') === undefined ? {} : readConfigFile(String(text('config')));
  const overrides: Record<string, unknown> = {};
  for (const { flag, path, parse } of FLAGS) {
    const value = values[flag];
    if (value !== undefined) setPath(overrides, path, parse(String(value)));
  }
  const preset = text('preset') ?? 'quick';
  if (!isSingle(preset) && !isExperiment(preset)) throw new UsageError(`--preset: must be one of ${[...SINGLE, ...Object.keys(EXPERIMENTS)].join(', ')}, got ${preset}.`);
  const layers = [file, overrides as DeepPartial<Config>];
  const many = ['grid', 'seeds', 'scale', 'only', 'shard', 'list'].some((name) => values[name] !== undefined);
  if (isExperiment(preset) || many) return sweepCommand(preset, layers, given);
  const result = parseConfig(preset, ...layers);
  if ('problem' in result) throw new UsageError(describe(result.problem));
  return { kind: 'run', config: result.config, preset, out: text('out') };
}
