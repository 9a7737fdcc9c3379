import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** One of the processes that are compared. */
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

/**
 * Starts a process that answers commands, one JSON object a line.
 *
 * @param name - as errors name it.
 */
function startSide(name: string, command: string, args: readonly string[], threads: number): Side {
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
      if (done) throw new Error(`bench: ${name} ended while it was asked to ${JSON.stringify(message)}.`);
      const reply = JSON.parse(value as string) as T & { readonly error?: string };
      if (reply.error !== undefined) throw new Error(`bench: ${name} failed at ${JSON.stringify(message)}: ${reply.error}`);
      return reply;
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

/** Starts a module of ours in a Node of its own, which {@link serve}s. */
export const startModule = (name: string, module: URL, args: readonly string[], threads: number): Side =>
  startSide(name, process.execPath, [...process.execArgv, fileURLToPath(module), ...args], threads);

/** Starts the peer: PyTorch in the Python that `$MOE_BENCH_PYTHON` names. */
export const startPython = (python: string, script: URL, threads: number): Side => startSide(`PyTorch in ${python}`, python, [fileURLToPath(script)], threads);

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

/** Runs a task once. */
export async function timed(run: () => unknown): Promise<Cost> {
  const wall = performance.now();
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / 1e3, wall: performance.now() - wall };
}

/** Answers commands until there are none. */
export async function serve<Message>(answer: (message: Message) => Promise<object>): Promise<never> {
  for await (const line of createInterface({ input: process.stdin })) {
    const reply = await answer(JSON.parse(line) as Message).catch((error: unknown) => ({ error: String(error) }));
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  }
  process.exit(0);
}
