// Many runs, one after the other, each in a folder of its own; finished ones are not done again.
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson } from '@moe/experiments';
import { files } from './jobs.js';
import { completeRun } from './one-run.js';
import type { SweepCommand } from './options.js';
import type { Results } from './results.js';
import { SweepTable, sweepTable } from './sweep-table.js';

const PUBLISHED = [files.config, files.metrics, files.results];

async function publish(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const file of PUBLISHED) await copyFile(file(from), file(to));
}

/** Does every run that is not finished, and shows them all in one table; 0, 130 after an interrupt, 1 if an evaluation is not to be trusted. */
export async function sweep({ title, runs, out, publish: target }: SweepCommand, signal: AbortSignal): Promise<number> {
  const finished = new Map<string, Results>();
  for (const { name } of runs) {
    const results = await readJson<Results>(files.results(join(out, name)));
    if (results !== undefined) finished.set(name, results);
  }
  const live = new SweepTable(runs, finished);
  try {
    for (const { name, config } of runs) {
      const folder = join(out, name);
      // Opened anew even when finished: another configuration in the same folder is refused.
      const results = await completeRun(title, config, folder, live.forRun(name), signal);
      if (results === undefined) return 130;
      finished.set(name, results);
      if (target !== undefined) await publish(folder, join(target, name));
      live.finish(name);
    }
  } finally {
    live.stop();
  }
  console.log(`\n${sweepTable(runs, finished).toText()}`);
  return [...finished.values()].some(({ paths }) => paths.some(({ trust }) => trust === 'invalid')) ? 1 : 0;
}
