import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Progress } from '@moe/experiments';
import type { Config } from './schema.js';
import { type Job, costOf, isFinished, isReady, jobName, jobsOf } from './jobs.js';
import type { Notice, Order } from './messages.js';

/** A job that ended in an error; `expected` ones explain themselves and need no stack. */
export class JobError extends Error {
  constructor(
    message: string,
    readonly expected: boolean,
  ) {
    super(message);
  }
}

/** What shows how far the jobs are. */
export type ProgressSink = Pick<Progress, 'start' | 'update' | 'finishJob' | 'log'>;

interface Worker {
  readonly process: ChildProcess;
  job: Job | undefined;
}

/**
 * Runs every unfinished job of an experiment on a few processes, each job when what it builds on is there.
 *
 * @returns Whether all jobs are finished; false after an abort, which lets every worker save its state first.
 * @throws {@link JobError} of the first job that fails, after the other workers have saved theirs.
 */
export function runJobs(config: Config, folder: string, progress: ProgressSink, signal: AbortSignal): Promise<boolean> {
  const all = jobsOf(config);
  const waiting = all.filter((job) => !isFinished(folder, job));
  progress.start(all.reduce((sum, job) => sum + costOf(config, job), 0), all.filter((job) => !waiting.includes(job)).reduce((sum, job) => sum + costOf(config, job), 0));
  if (waiting.length === 0) return Promise.resolve(true);

  return new Promise((resolve, reject) => {
    const workers: Worker[] = [];
    let failure: JobError | undefined;
    let engineKnown = false;

    const send = (worker: Worker, order: Order): void => {
      if (worker.process.connected) worker.process.send(order);
    };

    const stopAll = (): void => workers.forEach((worker) => send(worker, { type: 'abort' }));

    const assign = (): void => {
      for (const worker of workers) {
        if (worker.job !== undefined || failure || signal.aborted) continue;
        const next = waiting.findIndex((job) => isReady(config, folder, job));
        if (next < 0) continue;
        [worker.job] = waiting.splice(next, 1);
        send(worker, { type: 'run', job: worker.job!, config, folder });
      }
      if (workers.every((worker) => worker.job === undefined)) finish();
    };

    const finish = (): void => {
      signal.removeEventListener('abort', stopAll);
      for (const worker of workers) worker.process.disconnect();
      if (failure) reject(failure);
      else resolve(waiting.length === 0 && !signal.aborted);
    };

    const listen = (worker: Worker) => (notice: Notice): void => {
      const job = worker.job!;
      switch (notice.type) {
        case 'engine':
          if (!engineKnown) progress.log(notice.text);
          engineKnown = true;
          return;
        case 'progress':
          progress.update(jobName(job), costOf(config, job) * notice.fraction, notice.text);
          return;
        case 'log':
          progress.log(notice.text);
          return;
        case 'done':
          progress.finishJob(jobName(job), costOf(config, job));
          break;
        case 'failed':
          failure ??= new JobError(`${jobName(job)}: ${notice.message}`, notice.expected);
          stopAll();
          break;
        case 'aborted':
          break;
      }
      worker.job = undefined;
      assign();
    };

    for (let i = 0; i < Math.min(config.workers, waiting.length); i++) {
      const worker: Worker = { process: fork(fileURLToPath(new URL('worker.ts', import.meta.url)), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }), job: undefined };
      worker.process.on('message', listen(worker));
      worker.process.on('exit', (code, killedBy) => {
        if (worker.job === undefined) return;
        failure ??= new JobError(`${jobName(worker.job)}: its process ended ${killedBy ? `by ${killedBy}` : `with code ${code}`}. Start the same command again to continue.`, true);
        worker.job = undefined;
        workers.splice(workers.indexOf(worker), 1);
        stopAll();
        if (workers.every((other) => other.job === undefined)) finish();
      });
      workers.push(worker);
    }
    signal.addEventListener('abort', stopAll);
    assign();
  });
}
