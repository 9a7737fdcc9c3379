import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackendError, throwIfAborted } from '@moe/core';

/** How often a lock that is held is looked at, in milliseconds. */
const POLL_MS = 100;

/** Longest that an installation waits for another; none takes as long over a line that serves at all. */
const PATIENCE_MS = 60 * 60_000;

/** How long a lock may lie there before its owner has written its name into it. */
const UNNAMED_MS = 5_000;

/** Whether the owner of a lock has ended without taking it away. The processes of another machine cannot be seen, and count as running. */
async function isLeftBehind(file: string): Promise<boolean> {
  const [pid, host] = (await readFile(file, 'utf8').catch(() => '')).split(' ');
  if (!pid) return await stat(file).then(({ mtimeMs }) => Date.now() - mtimeMs > UNNAMED_MS, () => false);
  if (host !== hostname()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Runs `fn` while no other process runs one under the same lock. A lock of a process that was killed is taken over. */
export async function withLock<T>(file: string, signal: AbortSignal | undefined, fn: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    throwIfAborted('installTensorflow', signal);
    try {
      await writeFile(file, `${process.pid} ${hostname()}`, { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (Date.now() > deadline) throw new BackendError(`installTensorflow: another installation must end, but ${file} has been there for an hour. Delete it if there is none.`);
    if (await isLeftBehind(file)) await rm(file, { force: true });
    else await sleep(POLL_MS);
  }
  try {
    return await fn();
  } finally {
    await rm(file, { force: true });
  }
}
