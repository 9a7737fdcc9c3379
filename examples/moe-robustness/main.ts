// Trains ViTs and V-MoEs of equal cost and attacks them. See README.md.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type EngineName, useBackend } from '@moe/backend';
import { ArgumentError, isMoeError } from '@moe/core';
import { Progress, readJson, shardOf } from '@moe/experiments';
import { accuracyTable } from './answers.js';
import { files } from './files.js';
import { completeRun, publish } from './one-run.js';
import { ROWS, SCALES, type ScaleName, runsOf } from './protocol.js';
import type { Results } from './records.js';

const HELP = `On the adversarial robustness of mixtures of experts: dense and routed vision transformers of equal cost, attacked.

Usage: pnpm start [options]

  --scale NAME       ${Object.keys(SCALES).join(', ')} (default fashion-small)
  --only A,B,…       only these rows of ${ROWS.map(({ name }) => name).join(', ')}
  --seeds A,B,…      every row once for each seed (default 1)
  --shard I/N        the I-th of N parts, for several processes on one folder
  --backend NAME     auto, tensorflow, wasm or cpu (default auto)
  --threads N        of the engine (default all)
  --out DIR          a folder for each run (default runs/moe-robustness-SCALE)
  --publish DIR      copies training.json and results.json of finished runs there
  --list             prints the names of the runs
  --help

Interrupt with Ctrl-C; the same command continues where it stopped.`;

function parse() {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { scale: text, only: text, seeds: text, shard: text, backend: text, threads: text, out: text, publish: text, list: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } });
  const scale = values.scale ?? 'fashion-small';
  if (!Object.hasOwn(SCALES, scale)) throw new ArgumentError(`--scale: must be one of ${Object.keys(SCALES).join(', ')}, got ${scale}.`);
  const seeds = (values.seeds ?? '1').split(',').map(Number);
  if (seeds.some((seed) => !Number.isInteger(seed) || seed < 0)) throw new ArgumentError(`--seeds: must be integers ≥ 0, got ${values.seeds}.`);
  const runs = shardOf(runsOf({ scale: scale as ScaleName, only: values.only?.split(','), seeds }), values.shard ?? '1/1');
  if (runs === undefined) throw new ArgumentError(`--shard: must be I/N with 1 ≤ I ≤ N, got ${values.shard}.`);
  return { ...values, runs, out: values.out ?? join('runs', `moe-robustness-${scale}`) };
}

async function main(): Promise<number> {
  const { help, list, runs, out, publish: target, backend = 'auto', threads } = parse();
  if (help === true || list === true) {
    console.log(help === true ? HELP : runs.map(({ name }) => name).join('\n'));
    return 0;
  }
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort());
  const { engine } = await useBackend(backend as EngineName | 'auto', threads === undefined ? {} : { threads: Number(threads) });
  console.error(`Engine: ${engine}. Everything goes to ${out}.`);
  const finished: Results[] = [];
  for (const run of runs) {
    const progress = new Progress();
    const known = await readJson<Results>(files.results(files.folder(out, run.name)));
    progress.log(`${run.name}${known === undefined ? '' : ', finished'}`);
    progress.start(1, 0);
    try {
      finished.push(await completeRun(run, { out, signal: interrupt.signal, onProgress: (fraction, text) => progress.update(run.name, fraction, text) }));
    } finally {
      progress.stop();
    }
    if (target !== undefined) await publish(files.folder(out, run.name), join(target, run.name));
  }
  console.log(accuracyTable(finished).toText());
  return finished.some(({ standard }) => standard.some(({ trust }) => trust === 'invalid')) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (isMoeError(error, 'ABORTED') || (error as Error).name === 'AbortError') process.exitCode = 130;
  else {
    console.error(isMoeError(error) ? error.message : error);
    process.exitCode = isMoeError(error, 'ARGUMENT') ? 2 : 1;
  }
}
