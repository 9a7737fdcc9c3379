import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson } from '@moe/experiments';
import { files, isDense } from '../jobs.js';
import type { Results } from '../results.js';
import { type Config, type ModelName, configSchema } from '../schema.js';

/** One finished run of one model. */
export interface FinishedRun {
  /** Name of the row, without the seed. */
  readonly row: string;
  readonly seed: number;
  readonly model: ModelName;
  readonly config: Config;
  readonly results: Results;
}

/** Of results from before there were such records. */
const WITHOUT_EXTRAS = { audits: [], legacy: [], probes: [] };

const rowName = (folder: string, model: ModelName, { models }: Config): string => [folder.replace(/-s\d+$/, ''), ...(models.length > 1 ? [model] : [])].join(' ');

/** All finished runs of a folder, by row and seed: what `--publish` leaves, or what `--out` holds. */
export async function loadRuns(folder: string): Promise<FinishedRun[]> {
  const names = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const loaded = await Promise.all(names.map(async (name) => ({ name, results: await readJson<Results>(files.results(join(folder, name))) })));
  const runs = loaded.flatMap(({ name, results }) => {
    if (results === undefined) return [];
    // Settings that came later have in an older run the value by which nothing changes.
    const config = configSchema.parse(results.config);
    const complete: Results = { ...WITHOUT_EXTRAS, ...results, config };
    return config.models.map((model): FinishedRun => ({ row: rowName(name, model, config), seed: config.seed, model, config, results: complete }));
  });
  return runs.toSorted((a, b) => Number(isDense(b.model)) - Number(isDense(a.model)) || a.row.localeCompare(b.row) || a.seed - b.seed);
}

/** Runs of each row. */
export function byRow(runs: readonly FinishedRun[]): ReadonlyMap<string, readonly FinishedRun[]> {
  const rows = new Map<string, FinishedRun[]>();
  for (const run of runs) rows.set(run.row, [...(rows.get(run.row) ?? []), run]);
  return rows;
}

export const label = ({ row, seed }: FinishedRun): string => `${row}, seed ${seed}`;
