// Robust experts: trains, attacks and compares dense and MoE models. See README.md.
import { readFileSync } from 'node:fs';
import { Progress, formatSeconds } from '@moe/experiments';
import { files } from './jobs.js';
import { completeRun } from './one-run.js';
import { HELP, type RunCommand, UsageError, parseCommand } from './options.js';
import { resultTable } from './report.js';
import { defaultFolder } from './run-folder.js';
import { JobError } from './scheduler.js';
import { sweep } from './sweep.js';

/** Aborted by the first Ctrl-C; the second one ends the process. */
function interruption(onInterrupt: () => void): AbortSignal {
  const interrupt = new AbortController();
  process.once('SIGINT', () => {
    onInterrupt();
    interrupt.abort();
    process.once('SIGINT', () => process.exit(130));
  });
  return interrupt.signal;
}

const STOPPING = 'Stopping after the current step; the same command continues.';

async function oneRun({ config, preset, out }: RunCommand): Promise<number> {
  const folder = out ?? defaultFolder(preset, config);
  const started = Date.now();
  const progress = new Progress();
  const signal = interruption(() => progress.log(STOPPING));

  progress.log(`Robust experts, preset ${preset}: ${config.models.join(', ')}. Everything goes to ${folder}.`);
  let results;
  try {
    results = await completeRun(preset, config, folder, progress, signal);
  } finally {
    progress.stop();
  }
  if (results === undefined) return 130;

  console.log(`\n${resultTable(results).toText()}\n`);
  for (const sentence of results.findings) console.log(`• ${sentence}`);
  console.log(`\n${formatSeconds((Date.now() - started) / 1000)}. Numbers: ${files.results(folder)}. Report: ${files.report(folder)}`);
  return results.paths.some(({ trust }) => trust === 'invalid') ? 1 : 0;
}

async function main(): Promise<number> {
  const command = parseCommand(process.argv.slice(2));
  if (command === 'help' || command === 'version') {
    console.log(command === 'help' ? HELP : (JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as { version: string }).version);
    return 0;
  }
  if (command.kind === 'run') return oneRun(command);
  if (command.list) {
    for (const { name } of command.runs) console.log(name);
    return 0;
  }
  return sweep(command, interruption(() => process.stderr.write(`${STOPPING}\n`)));
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
