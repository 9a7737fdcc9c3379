import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Provenance, provenance, readJson, writeJson } from '@moe/experiments';
import { type Config, configSchema } from './schema.js';
import { files } from './jobs.js';
import { UsageError } from './options.js';

/** What a number depends on besides the code: everything but the count of processes. */
const decisive = (config: Config): string => JSON.stringify({ ...config, workers: undefined });

/** `runs/PRESET-HASH`: the same configuration finds its folder again. */
export const defaultFolder = (preset: string, config: Config): string => join('runs', `${preset}-${createHash('sha256').update(decisive(config)).digest('hex').slice(0, 8)}`);

/**
 * Makes the folder of a run, or finds that it holds the same run.
 *
 * @returns What the run started with.
 * @throws {@link UsageError} if it holds a run of another configuration.
 */
export async function openRunFolder(folder: string, preset: string, config: Config): Promise<Provenance> {
  const earlier = await readJson<{ config: Config; provenance: Provenance }>(files.config(folder));
  if (earlier === undefined) {
    const started = provenance(import.meta.dirname);
    await writeJson(files.config(folder), { preset, config, provenance: started, started: new Date().toISOString() });
    return started;
  }
  // Settings that came later have in an older run the value by which nothing changes.
  const before = configSchema.parse(earlier.config);
  if (decisive(before) !== decisive(config)) {
    const differing = (Object.keys(config) as (keyof Config)[]).filter((key) => key !== 'workers' && JSON.stringify(before[key]) !== JSON.stringify(config[key]));
    throw new UsageError(`--out: ${folder} holds a run with other settings of ${differing.join(', ')}. Choose another folder or remove this one.`);
  }
  return earlier.provenance;
}
