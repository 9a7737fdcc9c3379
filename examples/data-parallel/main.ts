// Data-parallel training on the processes of one machine, or as one worker under TF_CONFIG. See README.md.
import { useBackend } from '@moe/backend';
import { connectCluster } from '@moe/backend/node';
import { isMoeError } from '@moe/core';
import { trainOnProcesses } from './local-workers.js';
import { HELP, type Options, UsageError, parseOptions } from './options.js';
import { trainNetwork } from './train.js';

/** Largest distance between a weight of the cluster and that of one process, relative to its length, that rounding explains. */
const TOLERANCE = 1e-4;

async function work(options: Options): Promise<void> {
  const cluster = await connectCluster();
  if (options.batchSize % cluster.size !== 0) throw new UsageError(`--batch-size must be a multiple of the ${cluster.size} workers, got ${options.batchSize}.`);
  const weights = await trainNetwork(options, cluster);
  await cluster.close();
  process.send?.(weights);
}

async function compare(options: Options, args: readonly string[]): Promise<void> {
  const together = await trainOnProcesses(options.workers, args);
  const alone = await trainNetwork(options);
  const distances = alone.map((values, i) => Math.hypot(...values.map((value, j) => value - (together[i]?.[j] ?? Infinity))) / Math.hypot(...values));
  const largest = Math.max(...distances);
  console.log(`Largest distance of a weight between ${options.workers} workers and one process: ${largest.toExponential(1)} of its length.`);
  if (!(largest <= TOLERANCE)) throw new Error(`The weights must agree to ${TOLERANCE}.`);
}

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  if (options === 'help') return console.log(HELP);
  const alone = process.env['TF_CONFIG'] === undefined;
  if (alone && options.batchSize % options.workers !== 0) throw new UsageError(`--batch-size must be a multiple of --workers ${options.workers}, got ${options.batchSize}.`);
  await useBackend('tensorflow', { threads: options.threads });
  await (alone ? compare(options, args) : work(options));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const expected = error instanceof UsageError || isMoeError(error);
  console.error(expected ? error.message : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
process.disconnect?.();
