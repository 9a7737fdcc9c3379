#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { ArgumentError, isMoeError } from '@moe/core';
import cliProgress from 'cli-progress';
import { useBackend } from '../use-backend.js';
import { describeTensorflow } from './doctor.js';
import { type InstallProgress, installTensorflow, removeTensorflow } from './install.js';

const USAGE = `moe-backend: engines for TensorFlow.js.

  moe-backend install tensorflow [--from WHEEL | ARCHIVE | FOLDER | python]
                                                                    fetches TensorFlow, or uses one that is there
  moe-backend doctor                                                says what is there, and the remedy for what is missing
  moe-backend remove tensorflow                                     takes TensorFlow out of the cache again
`;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function progressBar(): { update: (progress: InstallProgress) => void; stop: () => void } {
  const bar = new cliProgress.SingleBar({ format: '{stage} [{bar}] {percentage}% | {mb} MB', barsize: 40, stopOnComplete: false }, cliProgress.Presets.legacy);
  let stage = '';
  return {
    update: (progress) => {
      const payload = { stage: progress.stage.padEnd(8), mb: Math.round(progress.total / 1e6) };
      if (stage !== progress.stage) {
        if (stage !== '') bar.stop();
        bar.start(progress.total, 0, payload);
        stage = progress.stage;
      }
      bar.update(progress.done, payload);
    },
    stop: () => bar.stop(),
  };
}

async function install(from: string | undefined): Promise<void> {
  const bar = progressBar();
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  try {
    const { folder, libraries } = await installTensorflow({ ...(from === undefined ? {} : { from }), onProgress: bar.update, signal: stop.signal });
    bar.stop();
    say(`TensorFlow is installed in ${folder}:`);
    for (const library of libraries) say(`  ${library}`);
  } finally {
    bar.stop();
  }
  for (const remedy of (await describeTensorflow()).remedies) say(`Missing: ${remedy}`);
}

async function doctor(): Promise<void> {
  const { installation, remedies } = await describeTensorflow();
  say(`node        ${process.version} on ${process.platform}-${process.arch}`);
  say(`tensorflow  ${installation === undefined ? 'not installed' : `installed from ${installation.from}, in ${installation.folder}`}`);
  for (const remedy of remedies) say(`  missing   ${remedy}`);
  for (const engine of ['tensorflow', 'webgpu', 'wasm', 'cpu'] as const) {
    try {
      const { simd, threads, adapter, devices, tensorflow } = await useBackend(engine);
      say(`${engine.padEnd(12)}starts: ${threads} ${threads === 1 ? 'thread' : 'threads'}${simd ? ', SIMD' : ''}${adapter === undefined ? '' : `, ${adapter.name}${adapter.software ? ', software' : ''}`}${devices === undefined ? '' : devices.includes('GPU') ? ', GPU' : ', no GPU'}${tensorflow === undefined ? '' : `, TensorFlow ${tensorflow}`}`);
    } catch (error) {
      if (!isMoeError(error)) throw error;
      say(`${engine.padEnd(12)}does not start: ${error.message}`);
    }
  }
  if (remedies.length > 0) process.exitCode = 1;
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { from: { type: 'string' }, help: { type: 'boolean', short: 'h' } } });
  const [command, engine] = positionals;
  if (values.help || command === undefined) return say(USAGE);
  if (command === 'doctor') return await doctor();
  if (command !== 'install' && command !== 'remove') throw new ArgumentError(`moe-backend: the command must be install, doctor or remove, got '${command}'.`);
  if (engine !== 'tensorflow') throw new ArgumentError(`moe-backend: the engine must be 'tensorflow', got '${engine ?? ''}'.`);
  if (command === 'install') return await install(values.from);
  await removeTensorflow();
  say('TensorFlow is removed.');
}

// A reader that has seen enough, such as `head`, closes the pipe: what is left to say has no reader, and is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

main().catch((error: unknown) => {
  if (!isMoeError(error) && !String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS')) throw error;
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
});
