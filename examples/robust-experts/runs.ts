// From an experiment to its runs: rows × grid × seeds, one folder each.
import { type Problem, parseConfig } from './config.js';
import { merge } from './merge.js';
import type { Row } from './presets/experiment.js';
import type { Published } from './presets/published.js';
import type { Config, DeepPartial } from './schema.js';

/** One model to train and attack. */
export interface Run {
  readonly name: string;
  readonly config: Config;
  readonly published?: Published;
}

/** One axis of a grid from the command line: `experts=2,4,8`. */
export interface GridAxis {
  readonly flag: string;
  readonly values: readonly (readonly [label: string, config: DeepPartial<Config>])[];
}

export interface Expansion {
  readonly base: 'paper' | 'quick' | 'cifar10';
  readonly rows: readonly Row[];
  readonly scale: DeepPartial<Config>;
  readonly overrides: readonly DeepPartial<Config>[];
  readonly axes: readonly GridAxis[];
  /** Null for the seed of the configuration. */
  readonly seeds: readonly number[] | null;
}

const joined = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join('-');

/** Every point of the grid: its name, and what it sets. */
const pointsOf = (axes: readonly GridAxis[]): Row[] =>
  axes.reduce<Row[]>((points, { flag, values }) => points.flatMap((point) => values.map(([label, config]) => ({ name: joined(point.name, `${flag}=${label}`), config: merge(point.config, config) }))), [{ name: '', config: {} }]);

/** All runs: first those of the first seed. A row is laid over its base, then the scale, the options of the command line, and the point of the grid. */
export function expandRuns({ base, rows, scale, overrides, axes, seeds }: Expansion): Run[] | { readonly problem: Problem; readonly run: string } {
  const runs: Run[] = [];
  for (const seed of seeds ?? [null]) {
    for (const row of rows) {
      for (const point of pointsOf(axes)) {
        const name = joined(row.name, point.name, seed === null ? '' : `s${seed}`);
        const parsed = parseConfig(base, row.config, scale, ...overrides, point.config, seed === null ? {} : { seed });
        if ('problem' in parsed) return { problem: parsed.problem, run: name };
        runs.push({ name, config: parsed.config, ...(row.published && { published: row.published }) });
      }
    }
  }
  return runs;
}
