// Robust experts: trains, attacks and compares dense and MoE models. See README.md.
import { readFileSync } from 'node:fs';
import { writeFileAtomic } from '@moe/core/node';
import type { Config } from './config.js';
import { attackedData } from './data.js';
import { findings } from './findings.js';
import { files, pathsOf } from './jobs.js';
import { HELP, UsageError, parseCommand } from './options.js';
import { Progress, formatSeconds } from './progress.js';
import { reportHtml, resultTable } from './report.js';
import type { PathRecord, Results, TrainingRecord } from './results.js';
import { type Provenance, defaultFolder, openRunFolder, readJson, writeJson } from './run-folder.js';
import { JobError, runJobs } from './scheduler.js';

/** Puts the records of all finished jobs together. */
async function collect(preset: string, config: Config, folder: string, started: Provenance): Promise<Results> {
  const data = await attackedData(config);
  const training = await Promise.all(config.models.map((model) => readJson<TrainingRecord>(files.training(folder, model))));
  const paths = await Promise.all(config.models.flatMap((model) => pathsOf(config, model).map((path) => readJson<PathRecord>(files.evaluation(folder, model, path)))));
  const results: Results = {
    preset,
    config,
    data: { name: data.name, classNames: data.classNames, inputShape: data.inputShape },
    provenance: { ...started, engine: paths[0]!.engine },
    training: training.map((record) => record!),
    paths: paths.map((record) => record!),
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

async function main(): Promise<number> {
  const command = parseCommand(process.argv.slice(2));
  if (command === 'help' || command === 'version') {
    console.log(command === 'help' ? HELP : (JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as { version: string }).version);
    return 0;
  }
  const { config, preset } = command;
  const folder = command.out ?? defaultFolder(preset, config);
  const started = Date.now();
  const progress = new Progress();
  const interrupt = new AbortController();
  process.once('SIGINT', () => {
    progress.log('Stopping after the current step; the same command continues.');
    interrupt.abort();
    process.once('SIGINT', () => process.exit(130));
  });

  progress.log(`Robust experts, preset ${preset}: ${config.models.join(', ')}. Everything goes to ${folder}.`);
  const origin = await openRunFolder(folder, preset, config);
  let finished: boolean;
  try {
    finished = await runJobs(config, folder, progress, interrupt.signal);
  } finally {
    progress.stop();
  }
  if (!finished) return 130;

  const results = await collect(preset, config, folder, origin);
  await writeOutputs(results, folder);
  console.log(`\n${resultTable(results).toText()}\n`);
  for (const sentence of results.findings) console.log(`• ${sentence}`);
  console.log(`\n${formatSeconds((Date.now() - started) / 1000)}. Numbers: ${files.results(folder)}. Report: ${files.report(folder)}`);
  return results.paths.some(({ trust }) => trust === 'invalid') ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof UsageError) {
    console.error(error.message);
    process.exitCode = 2;
  } else {
    const expected = (error instanceof JobError && error.expected) || typeof (error as NodeJS.ErrnoException).code === 'string';
    console.error(expected ? `\n${(error as Error).message}` : error);
    process.exitCode = 1;
  }
}
