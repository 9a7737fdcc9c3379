// One run: training and every kind of attack, each written when it is done, then all of them together.
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ArgumentError } from '@moe/core';
import { type Provenance, provenance, readJson, writeJson } from '@moe/experiments';
import { getBackend } from '@tensorflow/tfjs-core';
import { attackedData } from './data.js';
import { routingAttacks, standardAttacks } from './evaluate.js';
import { files } from './files.js';
import type { Run } from './protocol.js';
import { measureRedundancy, measureSlopes } from './redundancy/measure.js';
import type { ReleasedRecord, Results, RoutingAttackRecord, StandardRecord, TrainingRecord } from './records.js';
import { releasedAttack } from './released.js';
import { type Context, finishedModel, trainModel } from './train-model.js';

interface Started {
  readonly config: Run['config'];
  readonly provenance: Provenance;
}

/** Makes the folder of a run, or finds that it holds the same one. */
async function open(folder: string, { name, config }: Run): Promise<Provenance> {
  const earlier = await readJson<Started>(files.config(folder));
  if (earlier === undefined) {
    const started: Started = { config, provenance: provenance(import.meta.dirname) };
    await writeJson(files.config(folder), started);
    return started.provenance;
  }
  if (JSON.stringify(earlier.config) !== JSON.stringify(config)) throw new ArgumentError(`--out: ${folder} holds ${name} with other settings. Choose another folder or remove this one.`);
  return earlier.provenance;
}

/** Processor time of every part, kept with the run: a part that was interrupted counts from where it continued. */
async function timed<T>(folder: string, part: string, work: () => Promise<T>): Promise<T> {
  const started = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(started);
  const times = (await readJson<Record<string, number>>(files.part(folder, 'times'))) ?? {};
  await writeJson(files.part(folder, 'times'), { ...times, [part]: Number(((times[part] ?? 0) + (user + system) / 1e6).toFixed(1)) });
  return result;
}

/** What is in `part.json`, made first if it is not there. */
async function once<T>(folder: string, part: string, make: () => Promise<T>): Promise<T> {
  const known = await readJson<T>(files.part(folder, part));
  if (known !== undefined) return known;
  const made = await timed(folder, part, make);
  await writeJson(files.part(folder, part), made);
  return made;
}

/** Does everything of one run that is not done yet. */
export async function completeRun(run: Run, context: Context): Promise<Results> {
  const { name, config } = run;
  const folder = files.folder(context.out, name);
  const finished = await readJson<Results>(files.results(folder));
  const started = await open(folder, run);
  if (finished !== undefined) return finished;
  await timed(folder, 'training', () => trainModel(config, context));
  const model = await finishedModel(config, context.out);
  const data = await attackedData(config);
  const { released, releasedSteps, standard } = config.attacks;
  const options = (part: string) => ({ config, state: join(folder, `${part}.state.json`), signal: context.signal, onProgress: context.onProgress });
  const records: { released: ReleasedRecord[]; standard: StandardRecord[] } = { released: [], standard: [] };
  for (const [i, eps] of released.entries()) {
    context.signal.throwIfAborted();
    context.onProgress(i / released.length, `attack ${name}: as released`);
    records.released.push(await once(folder, `released-${i}`, () => releasedAttack(model, data, { eps, steps: releasedSteps, seed: config.seed })));
  }
  for (const [i, eps] of standard.entries()) records.standard.push(await once(folder, `standard-${i}`, () => standardAttacks(model, data, eps, options(`standard-${i}`))));
  const routing = config.row.moe === null ? null : await once<RoutingAttackRecord>(folder, 'routing', () => routingAttacks(model, data, options('routing')));
  const suite = { ...config.redundancy, seed: config.seed };
  const redundancy = config.row.moe === null ? null : await once(folder, 'redundancy', () => measureRedundancy(model, data, suite));
  const slopes = await once(folder, 'slopes', () => measureSlopes(model, data, suite, config.network.depth));
  model.network.dispose();
  const { history: _, ...training } = (await readJson<TrainingRecord>(files.training(folder)))!;
  const cpuSeconds = (await readJson<Record<string, number>>(files.part(folder, 'times'))) ?? {};
  const results: Results = { name, config, provenance: { ...started, engine: getBackend(), cpuSeconds }, training, ...records, routing, redundancy, slopes };
  await writeJson(files.results(folder), results);
  await rm(files.checkpoint(folder), { force: true });
  return results;
}

/** Copies what a finished run is to be remembered by. */
export async function publish(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const file of [files.training, files.results]) await copyFile(file(from), file(to));
}
