import { availableParallelism } from 'node:os';
import { expectInteger, expectKnownKeys, throwIfAborted } from '@moe/core';

/** Options of {@link mapInWorkers}. */
export interface MapInWorkersOptions {
  /** Threads, of which each holds an engine of its own. @defaultValue one for each core */
  readonly threads?: number;
  /** Ends the workers at once. */
  readonly signal?: AbortSignal;
  /** Called after each task with the number of finished ones. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Node's flags for the workers. @defaultValue those of this process */
  readonly execArgv?: readonly string[];
}

/**
 * Runs a function over many tasks in worker threads, for engines that use one core, as `'wasm'` does.
 *
 * @remarks
 * A worker starts its own engine: the module calls `await useBackend('wasm')` itself, best once at its top. Tasks and results are structured clones; a
 * `SharedArrayBuffer` in a task, such as one of weights, is shared instead of copied. What a task gives must depend on the task alone, as batches of
 * `evaluate` with one seed do; then the results are those of one thread, bit for bit.
 *
 * @param module - address of a module whose default export takes one task and returns or promises its result.
 * @returns The results, in the order of the tasks. The workers have ended, also when it throws.
 * @throws {@link ArgumentError} if an option is unknown or wrong.
 * @throws {@link AbortedError} if the signal fires.
 * @throws What the module throws for a task, with its message; the other workers end without finishing theirs.
 *
 * @example
 * const flags = await mapInWorkers<Shard, string>(new URL('./evaluate-shard.js', import.meta.url), shards, { threads: 4 });
 */
export async function mapInWorkers<Task, Result>(module: URL, tasks: readonly Task[], options: MapInWorkersOptions = {}): Promise<Result[]> {
  expectKnownKeys('mapInWorkers', options, ['threads', 'signal', 'onProgress', 'execArgv']);
  const { threads = availableParallelism(), signal, onProgress, execArgv = process.execArgv } = options;
  expectInteger('mapInWorkers', 'threads', threads, 1, 1024);
  throwIfAborted('mapInWorkers', signal);
  if (tasks.length === 0) return [];
  const { Piscina } = await import('piscina');
  const count = Math.min(threads, tasks.length);
  const pool = new Piscina({ filename: module.href, minThreads: count, maxThreads: count, execArgv: [...execArgv] });
  let done = 0;
  const run = async (task: Task): Promise<Result> => {
    const result = (await pool.run(task, { signal: signal ?? null })) as Result;
    onProgress?.(++done, tasks.length);
    return result;
  };
  try {
    return await Promise.all(tasks.map(run));
  } catch (error) {
    throwIfAborted('mapInWorkers', signal);
    throw error;
  } finally {
    await pool.destroy();
  }
}
