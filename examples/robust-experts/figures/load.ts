import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { files, isDense } from '../jobs.js';
import type { Results } from '../results.js';
import { readJson } from '../run-folder.js';
import type { Config, ModelName } from '../schema.js';

/** One finished run of one model. */
export interface FinishedRun {
  /** Name of the row, without the seed. */
  readonly row: string;
  readonly seed: number;
  readonly model: ModelName;
  readonly config: Config;
  readonly results: Results;
}

/** All finished runs of a folder, by row and seed: what `--publish` leaves, or what `--out` holds. */
export async function loadRuns(folder: string): Promise<FinishedRun[]> {
  const names = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const loaded = await Promise.all(names.map(async (name) => ({ name, results: await readJson<Results>(files.results(join(folder, name))) })));
  return loaded
    .flatMap(({ name, results }) =>
      results === undefined ? [] : results.config.models.map((model) => ({ row: name.replace(/-s\d+$/, ''), seed: results.config.seed, model, config: results.config, results })),
    )
    .toSorted((a, b) => Number(isDense(b.model)) - Number(isDense(a.model)) || a.row.localeCompare(b.row) || a.seed - b.seed);
}

/** Runs of each row. */
export function byRow(runs: readonly FinishedRun[]): ReadonlyMap<string, readonly FinishedRun[]> {
  const rows = new Map<string, FinishedRun[]>();
  for (const run of runs) rows.set(run.row, [...(rows.get(run.row) ?? []), run]);
  return rows;
}

export const label = ({ row, seed }: FinishedRun): string => `${row}, seed ${seed}`;
