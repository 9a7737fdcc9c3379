// One run: its jobs, then its records put together and written.
import { writeFileAtomic } from '@moe/core/node';
import { type Provenance, readJson, writeJson } from '@moe/experiments';
import { attackedData } from './data.js';
import { findings } from './findings.js';
import { extrasOf, files, pathsOf } from './jobs.js';
import { reportHtml } from './report.js';
import type { AuditRecord, LegacyRecord, PathRecord, ProbeRecord, Results, TrainingRecord } from './results.js';
import { openRunFolder } from './run-folder.js';
import { type ProgressSink, runJobs } from './scheduler.js';
import type { Config } from './schema.js';
import { readTimes } from './times.js';

/** Puts the records of all finished jobs together. */
async function collect(preset: string, config: Config, folder: string, started: Provenance): Promise<Results> {
  const data = await attackedData(config);
  const read = async <T>(paths: readonly string[]): Promise<T[]> => (await Promise.all(paths.map((path) => readJson<T>(path)))).map((record) => record!);
  const extra = <T>(kind: 'audit' | 'legacy' | 'probe'): Promise<T[]> => read<T>(extrasOf(config).includes(kind) ? config.models.map((model) => files.extra(folder, model, kind)) : []);
  const paths = await read<PathRecord>(config.models.flatMap((model) => pathsOf(config, model).map((path) => files.evaluation(folder, model, path))));
  const results: Results = {
    preset,
    config,
    data: { name: data.name, classNames: data.classNames, inputShape: data.inputShape },
    provenance: { ...started, engine: paths[0]!.engine, times: await readTimes(folder) },
    training: await read<TrainingRecord>(config.models.map((model) => files.training(folder, model))),
    paths,
    audits: await extra<AuditRecord>('audit'),
    legacy: await extra<LegacyRecord>('legacy'),
    probes: await extra<ProbeRecord>('probe'),
    findings: [],
  };
  return { ...results, findings: findings(results) };
}

async function writeOutputs(results: Results, folder: string): Promise<void> {
  await writeJson(files.results(folder), results);
  const lines = results.training.flatMap(({ model, history }) => history.epochs.map((epoch) => JSON.stringify({ model, ...epoch })));
  await writeFileAtomic(files.metrics(folder), `${lines.join('\n')}\n`);
  await writeFileAtomic(files.report(folder), await reportHtml(results));
}

/**
 * Does everything of one run that is not done yet.
 *
 * @returns Its results, or undefined after an abort.
 */
export async function completeRun(preset: string, config: Config, folder: string, progress: ProgressSink, signal: AbortSignal): Promise<Results | undefined> {
  const origin = await openRunFolder(folder, preset, config);
  if (!(await runJobs(config, folder, progress, signal))) return undefined;
  const results = await collect(preset, config, folder, origin);
  await writeOutputs(results, folder);
  return results;
}
