import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readFileBounded, writeFileAtomic } from '@moe/core/node';
import { version_core as tfjsVersion } from '@tensorflow/tfjs-core';
import { type Config, configSchema } from './schema.js';
import { files } from './jobs.js';
import { UsageError } from './options.js';

const MAX_JSON_BYTES = 64 * 2 ** 20;

/** What a number depends on besides the code: everything but the count of processes. */
const decisive = (config: Config): string => JSON.stringify({ ...config, workers: undefined });

/** `runs/PRESET-HASH`: the same configuration finds its folder again. */
export const defaultFolder = (preset: string, config: Config): string => join('runs', `${preset}-${createHash('sha256').update(decisive(config)).digest('hex').slice(0, 8)}`);

/** Versions and commit under which a run started. */
export interface Provenance {
  readonly moe: string;
  readonly tfjs: string;
  readonly node: string;
  readonly commit: string | null;
}

function provenance(): Provenance {
  const manifest = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as { version: string };
  let commit: string | null = null;
  try {
    commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    // A downloaded archive has no history.
  }
  return { moe: manifest.version, tfjs: tfjsVersion, node: process.version, commit };
}

/** Reads a JSON file of this run; `undefined` if it is not there yet. */
export async function readJson<T>(path: string): Promise<T | undefined> {
  const bytes = await readFileBounded('readJson', path, MAX_JSON_BYTES);
  return bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as T);
}

export const writeJson = (path: string, value: unknown): Promise<void> => writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);

/**
 * Makes the folder of a run, or finds that it holds the same run.
 *
 * @returns What the run started with.
 * @throws {@link UsageError} if it holds a run of another configuration.
 */
export async function openRunFolder(folder: string, preset: string, config: Config): Promise<Provenance> {
  const earlier = await readJson<{ config: Config; provenance: Provenance }>(files.config(folder));
  if (earlier === undefined) {
    const started = provenance();
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
