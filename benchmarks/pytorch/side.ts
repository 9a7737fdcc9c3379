import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** One of the two processes that are compared. */
export interface Side {
  /** Sends a command and waits for its answer. */
  readonly ask: <T>(message: object) => Promise<T>;
  readonly close: () => Promise<void>;
}

/** Cost of one task, in milliseconds. */
export interface Cost {
  readonly cpu: number;
  readonly wall: number;
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

function start(name: string, command: string, args: readonly string[], threads: number): Side {
  const count = String(threads);
  const child = spawn(command, args, { env: { ...process.env, OMP_NUM_THREADS: count, MKL_NUM_THREADS: count }, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  // A process that ends early is told of by the command that waits.
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask<T>(message: object): Promise<T> {
      child.stdin.write(`${JSON.stringify(message)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`pytorch: ${name} ended while it was asked to ${JSON.stringify(message)}.`);
      const reply = JSON.parse(value as string) as T & { readonly error?: string };
      if (reply.error !== undefined) throw new Error(`pytorch: ${name} failed at ${JSON.stringify(message)}: ${reply.error}`);
      return reply;
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

/** Our process: Node with the engine `tensorflow`. */
export const startOurs = (threads: number): Side => start('our side', process.execPath, [...process.execArgv, here('worker.ts')], threads);

/**
 * The peer: PyTorch in the Python that `$MOE_BENCH_PYTHON` names.
 *
 * @param script - relative to this folder. @defaultValue 'peer.py'
 */
export const startPeer = (python: string, threads: number, script = 'peer.py'): Side => start(`PyTorch in ${python}`, python, [here(script)], threads);

/** Lets sides run one task by turns; the least cost of each, without the first round. */
export async function byTurns(sides: readonly Side[], task: (side: number) => string, rounds: number): Promise<readonly Cost[]> {
  const best = sides.map(() => ({ cpu: Infinity, wall: Infinity }));
  for (let round = -1; round < rounds; round++) {
    for (const [i, side] of sides.entries()) {
      const { cpu, wall } = await side.ask<Cost>({ do: 'run', task: task(i) });
      const least = best[i]!;
      if (round >= 0) best[i] = { cpu: Math.min(least.cpu, cpu), wall: Math.min(least.wall, wall) };
    }
  }
  return best;
}
