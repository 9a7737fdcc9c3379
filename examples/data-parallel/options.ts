import { parseArgs } from 'node:util';

export interface Options {
  /** Processes on this machine; not read under TF_CONFIG. */
  readonly workers: number;
  /** Images of Fashion-MNIST. */
  readonly images: number;
  /** Images of one step, over all workers. */
  readonly batchSize: number;
  readonly epochs: number;
  /** Threads of one worker. */
  readonly threads: number;
}

/** Wrong use of the command line; exit code 2. */
export class UsageError extends Error {}

export const HELP = `Trains a small network on Fashion-MNIST, each of several processes on its part of every batch.

Usage: pnpm --filter @moe/example-data-parallel start [options]

  --workers N      processes on this machine (default 2), whose weights are compared with those of one
  --images N       images to train on (default 2048, at most 12000)
  --batch-size N   images of one step, over all workers (default 128)
  --epochs N       (default 2)
  --threads N      of one process (default 1)
  --help

With TF_CONFIG in the environment the process is the one worker that it names.`;

const DEFAULTS = { workers: '2', images: '2048', 'batch-size': '128', epochs: '2', threads: '1' };

/** @throws {@link UsageError} for an unknown option or a value that is no whole number. */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const known = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, { type: 'string' as const }]));
  let values: Readonly<Record<string, string | boolean | undefined>>;
  try {
    // pnpm passes the separator of `start -- --flag` on.
    ({ values } = parseArgs({ args: args.filter((arg) => arg !== '--'), options: { ...known, help: { type: 'boolean' } } }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message} --help lists the options.`);
  }
  if (values['help'] === true) return 'help';
  const number = (name: keyof typeof DEFAULTS, most: number): number => {
    const value = Number(values[name] ?? DEFAULTS[name]);
    if (!Number.isInteger(value) || value < 1 || value > most) throw new UsageError(`--${name} must be a whole number from 1 to ${most}, got ${values[name]}.`);
    return value;
  };
  return { workers: number('workers', 64), images: number('images', 12_000), batchSize: number('batch-size', 12_000), epochs: number('epochs', 1000), threads: number('threads', 1024) };
}
